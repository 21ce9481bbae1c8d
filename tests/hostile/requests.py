"""Hostile requests by chance, from a seed: anything that is well-formed HTTP, aimed at an endpoint.

Half of them keep the most of a good request, because what is refused at the door finds nothing.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote

from losi.web.endpoints import CONSOLE, ENDPOINTS, Endpoint

HI: dict[str, Any] = {"role": "user", "content": "Hi"}
#: What a good body holds, by handler; the others take none.
GOOD: dict[str, dict[str, Any]] = {
    "create_chat_completion": {"model": "losi-omega", "messages": [HI]},
    "create_embeddings": {"model": "text-embedding-3-small", "input": "Hi"},
    "create_key": {"name": "x", "permissions": ["models.list"]},
    "change_key": {"name": "x", "is_enabled": True},
    "rotate_key": {"expires_in_seconds": 60},
    "sign_in": {"api_key": "losi-x"},
    "change_profile": {"name": "x", "api_access": True},
    "change_other_account": {"plan": "free"},
}
#: Fields that some endpoint reads.
FIELDS = (
    *("model", "messages", "input", "tools", "tool_choice", "functions", "function_call", "n"),
    *("stream", "stream_options", "stop", "temperature", "top_p", "max_tokens", "logit_bias"),
    *("max_completion_tokens", "response_format", "metadata", "user", "seed", "logprobs"),
    *("top_logprobs", "modalities", "reasoning_effort", "parallel_tool_calls", "prediction"),
    *("service_tier", "store", "audio", "web_search_options", "encoding_format", "dimensions"),
    *("name", "permissions", "expires_at", "is_enabled", "test", "expires_in_seconds", "id"),
    *("api_key", "api_access", "plan", "disabled", "operator", "thinking", "cache_control"),
)
QUERIES = (
    *("id", "start_date", "end_date", "group_by", "limit", "after", "before", "code", "state"),
    *("error", "plan", "q", "account", "session", "return_to", "format"),
)
TEXTS = (
    *("", " ", "x", "null", "true", "0", "-1", "1e999", "NaN", "losi-omega", "gpt-4o", "chat"),
    *("key_12345678", "acct_1234567890", "sess_1234", "2026-11-26", "2026-02-30", "9999-12-31"),
    *("0000-00-00", "2026-11-26T00:00:00Z", "2026-11-26T00:00:00+25:00", "user", "assistant"),
    *("system", "tool", "../../etc/passwd", "' OR 1=1 --", "<script>alert(1)</script>"),
    *("${jndi:ldap://x}", "{{7*7}}", "%s%n", "$ne", "\0", "\r\nX: y", "\u2028", "\ufeff", "\u202e"),
    *(
        "\ud83d\ude00",
        "e\u0301" * 20,
        "\u6f22" * 50,
        "A" * 300,
        "A" * 70_000,
        "[sandbox:error=500]",
    ),
    *(
        "data:image/png;base64,AAAA",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
    ),
)
NUMBERS = (0, -1, 1, 2, 128, 1e308, -0.0, 0.1, 2**31, 2**53, 2**63, 2**64, -(2**63), 10**30, 5e-324)
TYPES = (
    *("application/json", "application/json; charset=utf-16", "application/JSON;", "text/plain"),
    *("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "*/*", "", ";;;"),
    *("application/octet-stream", "application/xml", "application/json, text/html"),
)
CODINGS = ("gzip", "deflate", "x-gzip", "br", "identity", "gzip, gzip", "", "zstd", "GZIP")
ACCEPTS = ("*/*", "text/csv", "text/event-stream", "application/json;q=0", "", "image/png", ",;,")
METHODS = (
    *("GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "get"),
    *("M-SEARCH", "X", "POST" * 10),
)
ASCII = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:@"


@dataclass(frozen=True)
class HostileRequest:
    method: str
    #: With its query, encoded.
    target: str
    headers: list[tuple[str, str]]
    body: bytes = field(repr=False)
    #: Whether the body is sent in chunks, without its length.
    chunked: bool = False

    def __str__(self) -> str:
        shown = [f"{name}: {value[:60]!r}" for name, value in self.headers]
        return f"{self.method} {self.target[:200]} {shown} {self.body[:200]!r}"


def hostile_requests(
    endpoint: Endpoint, credential: dict[str, str], seed: int, count: int
) -> Iterator[HostileRequest]:
    """The same for the same seed. `credential` are the headers of a good caller, which most use."""
    random = Random(f"{endpoint.name} {seed}")
    for _ in range(count):
        yield _Maker(random, endpoint, credential).request()


class _Maker:
    def __init__(self, random: Random, endpoint: Endpoint, credential: dict[str, str]) -> None:
        self._random = random
        self._endpoint = endpoint
        self._credential = credential
        self._key = credential.get("Authorization", "Bearer losi-x").removeprefix("Bearer ")
        self._tame = random.random() < 0.5

    def request(self) -> HostileRequest:
        random = self._random
        method = self._endpoint.method if self._mostly() else random.choice(METHODS)
        headers = self._headers()
        body = b""
        if self._endpoint.method in ("POST", "PATCH") or random.random() < 0.2:
            body = self._body()
            headers.append(("Content-Type", self._choice(TYPES)))
        if random.random() < 0.1:
            coding = random.choice(CODINGS)
            headers.append(("Content-Encoding", coding))
            body = self._coded(body, coding)
        chunked = random.random() < 0.1
        return HostileRequest(method, self._target(), headers, body, chunked)

    def _mostly(self) -> bool:
        return self._random.random() < (0.97 if self._tame else 0.7)

    def _choice(self, values: tuple[str, ...]) -> str:
        """Mostly the first, which is the right one."""
        return values[0] if self._mostly() else self._random.choice(values)

    def _target(self) -> str:
        random = self._random
        resource = self._endpoint.path.replace("{id+}", _quoted(self._text()[:600]))
        if not self._mostly():
            cut = random.randrange(len("/api/v1/"), len(resource) + 1)
            piece = random.choice(
                ("/", "//", "/..", "/%2e%2e/", "%00", "%ff%fe", "%0d%0a", ";a=b", "%", "%25", "é")
            )
            resource = resource[:cut] + quote(piece, safe="%/;=.") + resource[cut:]
        pairs = []
        if (self._endpoint.method != "POST" and random.random() < 0.7) or not self._mostly():
            for _ in range(random.randrange(4)):
                name = random.choice(QUERIES) if self._mostly() else self._text()[:200]
                pairs.append(f"{_quoted(name)}={_quoted(self._text()[:1000])}")
        if not self._mostly():
            pairs.append(
                random.choice(("&&&", "=", "id", "id=%ff", "id=%", "a[]=1&a[]=2", "id=1&id=2"))
            )
        return resource + ("?" + "&".join(pairs) if pairs else "")

    def _headers(self) -> list[tuple[str, str]]:
        random = self._random
        headers = [("Accept", self._choice(ACCEPTS))]
        if self._mostly():
            headers += self._credential.items()
        else:
            wrong = (
                *(
                    "Bearer",
                    f"Basic {self._key}",
                    self._key,
                    f"Bearer {self._key}x",
                    "Bearer losi-",
                ),
                *(f"Bearer {self._key[:-1]}", f"Bearer  {self._key}", "Bearer \xe9\xff", ""),
                *(f"Bearer {self._key[:-9]}AAAAAAAAA", f"Bearer {self._key}, Bearer x"),
            )
            headers += [("Authorization", random.choice(wrong)) for _ in range(random.randrange(3))]
        if not self._mostly():
            others = (
                *(("X-Forwarded-For", "127.0.0.1"), ("X-Request-Id", self._visible(90))),
                *(("Cookie", f"__Host-losi={self._visible(60)}; losi=;;="), ("Origin", "null")),
                *(("X-HTTP-Method-Override", "DELETE"), ("Range", "bytes=0-"), ("TE", "trailers")),
                *(("If-None-Match", "*"), ("If-Modified-Since", self._visible(20))),
                *(("X-" + "a" * 200, self._visible(4000)), ("Idempotency-Key", self._visible(300))),
                *(("Host", random.choice(("", "evil.example.com", "a:b:c", "[::1"))),),
                *(("X-Forwarded-Proto", "gopher"), ("Sec-Fetch-Site", "same-origin")),
                *(("X-Losi-Console", "1"), ("X-Stainless-Retry-Count", "-1")),
            )
            headers += random.sample(others, random.randrange(1, 4))
        return headers

    def _visible(self, most: int) -> str:
        random = self._random
        return "".join(random.choice(ASCII + " \t\xe9\xff") for _ in range(random.randrange(most)))

    def _body(self) -> bytes:
        random = self._random
        if not self._mostly():
            return random.choice(
                (
                    *(b"", b"{", b"[]", b"null", b"0", b'""', b"\xef\xbb\xbf{}", b"{}{}", b"\0"),
                    *(b"model=x&messages=y", random.randbytes(random.randrange(3000))),
                    *(b'{"a":' * 200 + b"1" + b"}" * 200, b"[" * 5000, b'{"model":"\\ud800"}'),
                    *(b'{"model":NaN}', b'{"n":' + b"9" * 5000 + b"}", b"{'model': 'x'}"),
                    *("{}".encode("utf-16"), b'{"model":"\xff"}', b'{"":1,"":2}', b"{}\n{}"),
                )
            )
        body: Any = dict(GOOD.get(self._endpoint.name, {}))
        for _ in range(random.randrange(1, 3) if self._tame else random.randrange(1, 8)):
            self._spoil(body)
        try:
            return json.dumps(body, ensure_ascii=random.random() < 0.5).encode(
                "utf-8", "surrogatepass"
            )
        except RecursionError:
            return b"{}"

    def _spoil(self, body: dict[str, Any]) -> None:
        """One value of it becomes another, or it gets one that it should not have."""
        random = self._random
        if random.random() < 0.4:
            body[random.choice(FIELDS) if self._mostly() else self._text()[:300]] = self._value(3)
            return
        place: Any = body
        while True:
            keys = list(place) if isinstance(place, dict) else range(len(place))
            if not keys:
                return
            chosen = random.choice(list(keys))
            inner = place[chosen]
            if isinstance(inner, dict | list) and inner and random.random() < 0.7:
                # a copy, because good bodies are shared
                place[chosen] = inner.copy()
                place = place[chosen]
                continue
            place[chosen] = self._value(3)
            return

    def _value(self, depth: int) -> Any:
        random = self._random
        kind = random.randrange(9 if depth else 5)
        match kind:
            case 0 | 1:
                return self._text()
            case 2:
                return random.choice(NUMBERS)
            case 3:
                return random.choice((None, True, False))
            case 4:
                return random.choice(
                    (HI, {"type": "text"}, {"type": "json_schema"}, {"type": "function"})
                )
            case 5:
                return self._schema(depth)
            case 6 | 7:
                return [self._value(depth - 1) for _ in range(random.randrange(5))]
        return {
            random.choice((*FIELDS, "type", "role", "content", "function", "arguments", "text")): (
                self._value(depth - 1)
            )
            for _ in range(random.randrange(5))
        }

    def _schema(self, depth: int) -> Any:
        random = self._random
        words = (
            "type",
            "properties",
            "items",
            "enum",
            "anyOf",
            "$ref",
            "pattern",
            "required",
            "const",
        )
        kinds = ("object", "array", "string", "integer", "nothing", ["string", "null"])
        inner = {random.choice(words): self._value(depth - 1), "type": random.choice(kinds)}
        return {
            "type": "json_schema",
            "json_schema": {"name": self._text()[:80], "strict": True, "schema": inner},
        }

    def _text(self) -> str:
        random = self._random
        if random.random() < 0.8:
            return random.choice(TEXTS)
        return "".join(
            chr(random.choice((random.randrange(128), random.randrange(0xD800)))) for _ in range(9)
        )

    def _coded(self, body: bytes, coding: str) -> bytes:
        match self._random.randrange(4):
            case 0:
                return gzip.compress(body)
            case 1:
                return zlib.compress(body)
            case 2:
                return gzip.compress(body)[:-5]
        return body


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


#: Every endpoint, the console's included.
ALL = (*ENDPOINTS, *CONSOLE)
