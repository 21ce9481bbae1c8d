"""uvicorn's HTTP, with fewer writes; its own answer (to what is no HTTP) in our error envelope."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from losi.dialects.openai import error_object
from losi.errors import InvalidRequestError
from losi.ids import random_id


class Together:
    """A transport that writes the head of an answer with what follows in the same turn of the loop:
    head, body and end are three writes of uvicorn's, and each would be a system call.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._held: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if self._held:
            self._held.append(data)
        elif data.startswith(b"HTTP/1.1 "):
            self._held.append(data)
            asyncio.get_running_loop().call_soon(self._flush)
        else:
            self._transport.write(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held:
            self._transport.write(b"".join(self._held))
            self._held.clear()


class Protocol(AutoHTTPProtocol):  # type: ignore[valid-type,misc]
    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(Together(transport))

    def send_400_response(self, msg: str) -> None:
        """In place of uvicorn's, which is plain text. It closes the connection as that does."""
        refusal = InvalidRequestError(
            f"{msg} Check its method, its headers and how its body is framed.", code="bad_request"
        )
        body = error_object(refusal)
        head = (
            "HTTP/1.1 400 Bad Request",
            "content-type: application/json",
            f"content-length: {len(body)}",
            f"x-request-id: req_{random_id(16)}",
            "access-control-allow-origin: *",
            "connection: close",
        )
        transport = cast(asyncio.Transport, self.transport)
        transport.write("\r\n".join([*head, "", ""]).encode() + body)
        transport.close()
