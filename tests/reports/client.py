"""What a step sends, and its answer as clients read it."""

import base64
import gzip
import json
import re
import socket
import time
import urllib.parse
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any

from tests.loose import Json


class Client:
    def __init__(self, base_url: str, api_key: str) -> None:
        self._base = urllib.parse.urlsplit(base_url)
        self.api_key = api_key

    def send(self, request: Json, saved: Mapping[str, Any]) -> Json:
        headers, body = self._headers(request, saved), _body(request, saved)
        if body is not None:
            headers = {"content-type": "application/json"} | headers
        own = self._base.path + request.get("path", "/chat/completions")
        path = request.get("absolute", own)
        path = re.sub(r"\$SAVED:(\w+)", lambda name: urllib.parse.quote(str(saved[name[1]])), path)
        began = time.monotonic()
        if request.get("expect_continue"):
            return self._after_continue(path, headers, body or b"", began)
        content: Any = iter([body[:20], body[20:]]) if body and request.get("chunked") else body
        # the plainest client: others refuse to send headers that a report is about
        connection = HTTPConnection(self._base.hostname or "", self._base.port, timeout=60)
        chunked = bool(request.get("chunked"))
        with closing(connection):
            method = request.get("method", "POST")
            connection.request(method, path, content, headers, encode_chunked=chunked)
            answer = connection.getresponse()
            return read(answer.status, dict(answer.getheaders()), answer.read(), began)

    def used(self) -> dict[str, int]:
        """The day's figures so far."""
        day = datetime.now(UTC).date().isoformat()
        asked = {"method": "GET", "path": f"/api-usage?start_date={day}&end_date={day}"}
        summary = self.send(asked, {})["json"]["data"]["summary"]
        return {
            "requests": summary["total_requests"],
            "input": summary["total_input_tokens"],
            "output": summary["total_output_tokens"],
        }

    def _headers(self, request: Json, saved: Mapping[str, Any]) -> dict[str, str]:
        key = saved[request["key"]] if "key" in request else self.api_key
        headers = {} if request.get("no_auth") else {"authorization": f"Bearer {key}"}
        own = {name.lower(): text for name, text in request.get("headers", {}).items()}
        headers |= {name: text.replace("$KEY", self.api_key) for name, text in own.items()}
        return {name: text for name, text in headers.items() if text}

    def _after_continue(
        self, path: str, headers: Mapping[str, str], body: bytes, began: float
    ) -> Json:
        lines = [
            f"POST {path} HTTP/1.1",
            f"host: {self._base.netloc}",
            "expect: 100-continue",
            f"content-length: {len(body)}",
            "connection: close",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        address = (self._base.hostname or "", self._base.port or 80)
        with socket.create_connection(address, timeout=30) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            told = connection.recv(64)
            if b" 100 " in told:
                connection.sendall(body)
                told = b""
            while more := connection.recv(65536):
                told += more
        head, _, data = told.partition(b"\r\n\r\n")
        status, *rest = head.decode("latin-1").split("\r\n")
        named = dict(line.split(": ", 1) for line in rest)
        return read(int(status.split()[1]), named, data, began)


def _body(request: Json, saved: Mapping[str, Any]) -> bytes | None:
    body: bytes | None = None
    if "json" in request:
        text = json.dumps(_expanded(request["json"]))
        for name, value in saved.items():  # as a whole JSON string it stands for any value
            text = text.replace(f'"$SAVED:{name}"', json.dumps(value))
        body = text.encode()
    elif "raw" in request:
        body = request["raw"].encode("utf-8", "surrogatepass")
    elif "raw_base64" in request:
        body = base64.b64decode(request["raw_base64"])
    return gzip.compress(body or b"") if request.get("gzip") else body


def _expanded(value: Any) -> Any:
    """{"$repeat": [text, n]}, and {"$in_seconds": n} for a time from now."""
    if isinstance(value, list):
        return [_expanded(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "$in_seconds" in value:
        then = datetime.now(UTC) + timedelta(seconds=value["$in_seconds"])
        return then.strftime("%Y-%m-%dT%H:%M:%SZ")
    if "$repeat" in value:
        return value["$repeat"][0] * value["$repeat"][1]
    return {name: _expanded(one) for name, one in value.items()}


def read(status: int, headers: Mapping[str, str], data: bytes, began: float) -> Json:
    """An answer as a document that checks look into."""
    document: Json = {
        "status": status,
        "headers": {name.lower(): value for name, value in headers.items()},
        "seconds": time.monotonic() - began,
        "text": data.decode("utf-8", "replace"),
    }
    if document["headers"].get("content-type", "").startswith("text/event-stream"):
        document["stream"] = assembled(document["text"])
    else:
        with suppress(ValueError):
            document["json"] = json.loads(data)
    return document


def assembled(text: str) -> Json:
    """What OpenAI's SDKs make of a stream: strings of one index are joined, ids and roles too."""
    stream = _Stream()
    for line in re.split(r"\r\n|\n|\r", text):
        if line.startswith("data:"):
            stream.add(line.removeprefix("data:").strip())
    return stream.document()


class _Stream:
    def __init__(self) -> None:
        self._said: Json = {"content": "", "reasoning": "", "role": "", "usage": None}
        self._said |= {"finish": [], "finish_values": [], "content_types": []}
        self._said |= {"done": False, "error": None, "thinking_blocks": None}
        self._said |= {"argument_types": [], "first_call_named": None}
        self._calls: dict[int, Json] = {}

    def document(self) -> Json:
        return {**self._said, "tool_calls": [self._calls[index] for index in sorted(self._calls)]}

    def add(self, data: str) -> None:
        if data == "[DONE]":
            self._said["done"] = True
            return
        chunk = json.loads(data)
        if chunk.get("error"):
            self._said["error"] = chunk["error"]
            return
        self._said["usage"] = chunk.get("usage") or self._said["usage"]
        for choice in chunk.get("choices") or []:
            reason = choice.get("finish_reason")
            _once(self._said["finish_values"], reason)
            self._said["finish"] += [reason] if reason else []
            self._add_delta(choice.get("delta") or {})

    def _add_delta(self, delta: Json) -> None:
        content = delta.get("content")
        if content is not None:
            _once(self._said["content_types"], type(content).__name__)
        self._said["content"] += content if isinstance(content, str) else ""
        self._said["reasoning"] += delta.get("reasoning_content") or ""
        self._said["role"] += delta.get("role") or ""
        self._said["thinking_blocks"] = (
            delta.get("thinking_blocks") or self._said["thinking_blocks"]
        )
        for part in delta.get("tool_calls") or []:
            self._add_call(part)

    def _add_call(self, part: Json) -> None:
        function = part.get("function") or {}
        if part["index"] not in self._calls and self._said["first_call_named"] is None:
            self._said["first_call_named"] = bool(function.get("name"))
        call = self._calls.setdefault(part["index"], {"id": "", "name": "", "arguments": ""})
        arguments = function.get("arguments")
        if arguments is not None:
            _once(self._said["argument_types"], type(arguments).__name__)
        call["id"] += part.get("id") or ""
        call["name"] += function.get("name") or ""
        call["arguments"] += arguments if isinstance(arguments, str) else ""


def _once(values: list[Any], value: Any) -> None:
    if value not in values:
        values.append(value)
