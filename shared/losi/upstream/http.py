"""HTTP to providers: one pooled client, and every transport failure as a LosiError."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakKeyDictionary

import orjson

from losi import http1
from losi.catalogue.models import Route
from losi.errors import UpstreamError, UpstreamUnavailableError
from losi.time_limit import within
from losi.upstream.format import incomplete, malformed
from losi.upstream.reading import loads

if TYPE_CHECKING:
    from collections.abc import Callable

    from losi.errors import LosiError
    from losi.wire import JsonObject

#: Translates a provider's refusal (status, parsed body or None, headers) into one of ours.
Refusal: TypeAlias = "Callable[[int, JsonObject | None, Mapping[str, str]], LosiError]"

MAX_JSON_BYTES = 64 * 1024 * 1024

#: Compression would make the upstream's proxy hold back chunks; some compress all the same.
_HEADERS = {
    "accept": "*/*",
    "accept-encoding": "identity",
    "user-agent": "losi-api",
    "content-type": "application/json",
}

# One client a loop: a process has one loop but for tests, and a client must not outlive its loop.
_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, http1.Client] = WeakKeyDictionary()


def http_client() -> http1.Client:
    """The running loop's client, made on first use."""
    loop = asyncio.get_running_loop()
    client = _clients.get(loop)
    if client is None:
        client = _clients[loop] = http1.Client()
    return client


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of one provider. Its methods raise a LosiError for every failure."""

    provider: str
    url: str
    headers: Mapping[str, str]

    async def post_json(
        self, body: Mapping[str, object], route: Route, refusal: Refusal
    ) -> JsonObject:
        """POST and read a JSON object."""
        async with self._post(body, route, refusal) as response:
            answer = await _read_json(_plain(response))
        if answer is None:
            raise malformed(self.provider)
        return answer

    @asynccontextmanager
    async def post_stream(
        self, body: Mapping[str, object], route: Route, refusal: Refusal
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """POST and yield the body's bytes as they arrive; refuses what is not an event stream, by
        how it begins: labels are wrong at some providers.

        Failures inside the `async with` block are the stream's own: they raise LosiErrors too.
        """
        async with self._post(body, route, refusal) as response:
            chunks = _plain(response)
            head = await _head(chunks)
            if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[", b"<"):
                answer = await _read_json(chunks, head)
                if answer is not None and answer.get("error"):  # a refusal with status 200
                    raise refusal(200, answer, response.headers)
                raise malformed(self.provider, (answer or {}).get("usage"))
            yield _from_the_start(head, chunks)

    @asynccontextmanager
    async def _post(
        self, body: Mapping[str, object], route: Route, refusal: Refusal
    ) -> AsyncIterator[http1.Response]:
        try:
            # only connecting is limited here: the router limits all later waiting
            async with await http_client().request(
                "POST", self.url, {**_HEADERS, **self.headers}, encode(body), route.connect_timeout
            ) as response:
                if not 200 <= response.status < 300:
                    answer = await _read_json(_plain(response))
                    raise refusal(response.status, answer, response.headers)
                yield response
        except http1.ConnectError as error:
            raise UpstreamUnavailableError(
                f"{self.provider} cannot be reached. Try again in a moment.",
                code="upstream_unreachable",
            ) from error
        except (http1.HttpError, zlib.error) as error:
            raise incomplete(self.provider) from error
        except http1.UnsendableError as error:
            raise UpstreamError(
                f"{self.provider} cannot be called.", code="upstream_unreachable"
            ) from error


def encode(body: Mapping[str, object]) -> bytes:
    """Encode as JSON with orjson, or with json what orjson cannot: integers beyond 64 bits, lone
    surrogates.
    """
    try:
        return orjson.dumps(body)
    except TypeError:
        return json.dumps(body).encode()


async def finish(chunks: AsyncIterator[bytes]) -> None:
    """Read what follows the end mark of a stream, so that the connection can be used again. If the
    connection breaks here, nothing is lost: the answer is complete.
    """
    with suppress(TimeoutError, http1.HttpError, zlib.error), within(1):
        async for _ in chunks:
            pass


def _plain(response: http1.Response) -> AsyncIterator[bytes]:
    """Decode the body. Raises zlib.error if it does not have that coding."""
    coding = response.headers.get("content-encoding", "").strip().lower()
    if coding in ("gzip", "x-gzip", "deflate"):
        return _inflated(response)
    return aiter(response)


async def _inflated(response: http1.Response) -> AsyncIterator[bytes]:
    inflating = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # gzip's header or zlib's
    async for chunk in response:
        if plain := inflating.decompress(chunk):
            yield plain
    if not inflating.eof:
        raise zlib.error("the body ended within its coding")


async def _head(chunks: AsyncIterator[bytes]) -> bytes:
    """The first bytes of a body, up to one that is not blank."""
    head = b""
    async for chunk in chunks:
        head += chunk
        if head.strip(b"\xef\xbb\xbf \t\r\n") or len(head) > MAX_JSON_BYTES:
            break
    return head


def _from_the_start(head: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The whole body: the head that was read, and what comes after it."""
    if not isinstance(chunks, http1.Response):
        return _chained(head, chunks)
    chunks.put_back(head)
    return chunks


async def _chained(head: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for chunk in chunks:
        yield chunk


async def _read_json(chunks: AsyncIterator[bytes], head: bytes = b"") -> JsonObject | None:
    """The body as a JSON object, or None if it is something else or far too long."""
    body = bytearray(head)
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_JSON_BYTES:
            return None
    try:
        answer = loads(bytes(body))
    except ValueError:
        return None
    if isinstance(answer, list) and len(answer) == 1:  # how Gemini's endpoint wraps its errors
        answer = answer[0]
    return answer if isinstance(answer, dict) else None
