"""One click instead of a sign-in, for `make run` alone: no deployed code can open it."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from losi.web.cookies import check_write
from losi.web.session import open_session


def demo_sign_in(account_id: str) -> APIRouter:
    """POST /api/v1/session/demo: whoever reaches this machine's loopback is the demo account."""
    router = APIRouter(prefix="/api/v1")

    @router.post("/session/demo")
    async def sign_in(http: Request) -> Any:
        check_write(http)
        return await open_session(http, account_id)

    return router
