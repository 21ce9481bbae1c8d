"""An upstream that answers what a step scripts, byte by byte as the report has it."""

import binascii
import gzip
import json
import socket
import struct
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from tests.loose import Json

_CHAT = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "ok"}}
    ],
    "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
}
_CHUNK = {"choices": [{"index": 0, "delta": {"content": "ok"}, "finish_reason": "stop"}]}
_MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": "ok"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 10, "output_tokens": 2},
}
_CONVERSE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "ok"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 10, "outputTokens": 2, "totalTokens": 12},
    "metrics": {"latencyMs": 1},
}


class ScriptedUpstream:
    """Listens on a port of its own until the process ends."""

    def __init__(self) -> None:
        self.script: list[Json] = []
        self.seen: list[Json] = []
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as file:
                line = file.readline().decode("latin-1").split()
                headers = dict(_headers(file))
                body = file.read(int(headers.get("content-length", 0)))
                path, asked = urllib.parse.unquote(line[1]), _json(body)
                with self._lock:
                    self.seen.append({"path": path, "headers": headers, "json": asked})
                    reply = self._pick(path, stream=bool(asked and asked.get("stream")))
                for piece in _bytes_of(reply, path):
                    connection.sendall(piece)
                if seconds := reply.get("hold"):  # open, unless the other side closes it
                    connection.settimeout(seconds)
                    with suppress(TimeoutError):
                        connection.recv(1)
                connection.shutdown(socket.SHUT_RDWR)
        except (OSError, IndexError):
            pass  # who asked has gone

    def _pick(self, path: str, *, stream: bool) -> Json:
        for position, reply in enumerate(self.script):
            if reply.get("match", "") in path:
                return reply if reply.get("always") else self.script.pop(position)
        if "/messages" in path:
            return {"json": _MESSAGE}
        if path.startswith("/model/"):
            return {"json": _CONVERSE}
        return {"sse": [_CHUNK, "data: [DONE]\n\n"]} if stream else {"json": _CHAT}


def _headers(file: Any) -> Iterator[tuple[str, str]]:
    while raw := file.readline().strip():
        name, _, value = raw.decode("latin-1").partition(":")
        yield name.strip().lower(), value.strip()


def _json(body: bytes) -> Json | None:
    try:
        value: Json = json.loads(body)
    except ValueError:
        return None
    return value


def _bytes_of(reply: Json, path: str) -> list[bytes]:
    kind, pieces = "application/json", [json.dumps(reply.get("json", {})).encode()]
    if "sse" in reply:
        kind, pieces = "text/event-stream", [_event(item, path) for item in reply["sse"]]
    elif "eventstream" in reply:
        kind = "application/vnd.amazon.eventstream"
        pieces = [_aws_event(one["event"], one["payload"]) for one in reply["eventstream"]]
    elif "text" in reply:
        kind, pieces = "text/html", [reply["text"].encode()]
    headers = {"content-type": kind, "connection": "close"}
    if reply.get("gzip"):
        headers["content-encoding"], pieces = "gzip", [gzip.compress(b"".join(pieces))]
    headers |= reply.get("headers", {})
    lines = [f"HTTP/1.1 {reply.get('status', 200)} X", *(f"{n}: {v}" for n, v in headers.items())]
    return ["\r\n".join([*lines, "", ""]).encode(), *pieces]


def _event(item: Any, path: str) -> bytes:
    if isinstance(item, str):
        return item.encode("utf-8", "surrogatepass")
    name = f"event: {item['type']}\n" if "/messages" in path and "type" in item else ""
    return f"{name}data: {json.dumps(item)}\n\n".encode()


def _aws_event(name: str, payload: Json) -> bytes:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html"""
    fields = {
        ":event-type": name,
        ":content-type": "application/json",
        ":message-type": "event",
    }
    heads = b"".join(
        bytes([len(key)]) + key.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for key, value in fields.items()
    )
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(heads) + len(body), len(heads))
    message = prelude + struct.pack(">I", binascii.crc32(prelude)) + heads + body
    return message + struct.pack(">I", binascii.crc32(message))
