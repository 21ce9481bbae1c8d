"""Signing in with one click, for `make run` alone: no deployed code can open it."""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request

from losi.web.cookies import check_write
from losi.web.session import DEMO_PATH, open_session


def add_demo_sign_in(app: Starlette, account_id: str) -> None:
    """Add POST /api/v1/session/demo: anyone who can reach this machine's loopback may use the demo
    account.
    """

    async def demo_sign_in(http: Request) -> Any:
        check_write(http)
        return await open_session(http, account_id)

    app.add_route(DEMO_PATH, demo_sign_in, ["POST"])
