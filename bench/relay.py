"""The bare relay: aiohttp in, aiohttp out, nothing in between. `python relay.py PORT UPSTREAM`."""

import sys

from aiohttp import ClientSession, web  # type: ignore[import-not-found,unused-ignore]

PORT, UPSTREAM = int(sys.argv[1]), sys.argv[2]


async def relay(request: web.Request) -> web.StreamResponse:
    session: ClientSession = request.app["session"]
    headers = {"content-type": "application/json"}
    async with session.post(UPSTREAM, data=await request.read(), headers=headers) as upstream:
        answer = web.StreamResponse(headers={"content-type": upstream.content_type})
        await answer.prepare(request)
        async for piece in upstream.content.iter_any():
            await answer.write(piece)
        await answer.write_eof()
        return answer


async def session_of(app: web.Application) -> None:
    app["session"] = ClientSession()


app = web.Application()
app.on_startup.append(session_of)
app.router.add_post("/{path:.*}", relay)
web.run_app(app, host="127.0.0.1", port=PORT, print=None, access_log=None)
