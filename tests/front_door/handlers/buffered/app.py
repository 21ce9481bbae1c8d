"""A function that Python's own runtime serves, through Mangum."""

import base64
import os
from typing import TYPE_CHECKING

from mangum import Mangum

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


async def app(scope: "Scope", receive: "Receive", send: "Send") -> None:
    request = await receive()
    if scope["path"] == "/buffered/crash":
        os._exit(3)
    headers = [(b"content-type", b"text/plain"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    answer = f"{scope['method']} {scope['path']} ".encode() + base64.b64encode(request["body"])
    await send({"type": "http.response.body", "body": answer})


handler = Mangum(app, lifespan="off")
