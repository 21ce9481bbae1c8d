"""uvicorn's HTTP, whose one answer of its own (to what is no HTTP) is in our error envelope."""

from __future__ import annotations

import asyncio
from typing import cast

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from losi.dialects.openai import error_object
from losi.errors import InvalidRequestError
from losi.ids import random_id


class Protocol(AutoHTTPProtocol):  # type: ignore[valid-type,misc]
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
