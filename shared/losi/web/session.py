"""/api/v1/session and /api/v1/sessions: signing in with an API key, and signing out."""

from typing import Annotated

import anyio.to_thread
from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from losi.errors import AuthenticationError, NotFoundError, PermissionDeniedError
from losi.identity.audit import note_caller
from losi.identity.session import SessionToken, SignedIn, expired, session_id_from
from losi.validation import validated
from losi.web.cookies import check_write, clear_cookie, session_token, set_cookie
from losi.web.credentials import parse_key
from losi.web.dependencies import services_of
from losi.web.injection import AppServices
from losi.web.parsing import StrictQuery, read_json
from losi.web.responses import JsonResponse


def signed_in(request: Request) -> SignedIn:
    """A dependency: who is signed in. Raises AuthenticationError (401, `session_expired`)."""
    token = session_token(request)
    if token is None:
        raise expired()
    found = services_of(request).sessions.read(token)
    note_caller(found.principal)
    return found


def person(caller: Annotated[SignedIn, Depends(signed_in)]) -> SignedIn:
    """A dependency: the account's owner, not somebody with one of its keys."""
    if not caller.is_person:
        raise PermissionDeniedError(
            "You signed in with an API key, which may not see or change the account itself. "
            "Sign in as its owner.",
            code="owner_required",
        )
    return caller


def fresh_person(caller: Annotated[SignedIn, Depends(person)], services: AppServices) -> SignedIn:
    """A dependency: the owner, who signed in within the last 15 minutes."""
    if not caller.session.is_fresh(services.sessions.now()):
        raise PermissionDeniedError(
            "This cannot be undone, so it takes a sign-in of the last 15 minutes. Sign in again.",
            code="fresh_sign_in_required",
        )
    return caller


#: Only `make run` adds it.
DEMO_PATH = "/api/v1/session/demo"

Caller = Annotated[SignedIn, Depends(signed_in)]
Owner = Annotated[SignedIn, Depends(person)]


class SignIn(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    api_key: str


class OneSessionOrAll(StrictQuery):
    """A mistyped `id` must not end all sessions."""

    id: str | None = None


async def sign_in(http: Request) -> Response:
    """Sign in with an API key. The session may do what the key may, and ends with it."""
    check_write(http)
    body = validated(SignIn, await read_json(http))
    authenticator = services_of(http).authenticator
    principal = await anyio.to_thread.run_sync(
        lambda: authenticator.authenticate(parse_key(body.api_key.strip()), fresh=True)
    )
    return await open_session(http, principal.account_id, principal.key_id)


async def open_session(http: Request, account_id: str, key_id: str | None = None) -> Response:
    """A response that signs in. It ends the browser's previous session: no old token survives a
    sign-in.
    """
    old = session_token(http)
    if old is not None:
        await anyio.to_thread.run_sync(_end_own, http, old)
    device = http.headers.get("user-agent", "")
    services = services_of(http)
    token = await anyio.to_thread.run_sync(services.sessions.open, account_id, device, key_id)
    response = JsonResponse({"data": {"id": f"sess_{token.session_id}"}})
    set_cookie(http, response, token, services.config.retention.session_days)
    return response


def sign_out(http: Request) -> Response:
    """Signing out always works: a session that had ended is signed out too."""
    token = session_token(http)
    if token is not None:
        _end_own(http, token)
    return _signed_out(http)


def list_sessions(caller: Owner, services: AppServices) -> JsonResponse:
    found = services.sessions.of_account(caller.account.id)
    return JsonResponse({"data": [each.as_json(caller.session) for each in found]})


def end_sessions(
    http: Request, caller: Owner, services: AppServices, query: Annotated[OneSessionOrAll, Query()]
) -> Response:
    """One session by `id`, or all of them, this one too."""
    if query.id is None:
        services.sessions.end_all(caller.account.id)
        return _signed_out(http)
    session_id = session_id_from(query.id)
    if session_id is None:
        raise NotFoundError("No session with this id. It may have ended.", param="id")
    services.sessions.end(caller.account.id, session_id)
    return JsonResponse({"success": True})


def sign_in_methods(http: Request) -> JsonResponse:
    """How one can sign in here; for the sign-in page, which nobody is signed in to."""
    paths = {getattr(route, "path", "") for route in http.app.routes}
    return JsonResponse(
        {
            "data": {
                "demo": DEMO_PATH in paths,
                "openid_connect": services_of(http).config.signs_in,
                "api_key": True,
                "support": services_of(http).config.support,
            }
        }
    )


def _end_own(http: Request, token: SessionToken) -> None:
    """End the session of a genuine token. A forged token ends nothing."""
    sessions = services_of(http).sessions
    try:
        found = sessions.read(token)
    except AuthenticationError:
        return
    sessions.end(found.account.id, found.session.id)


def _signed_out(http: Request) -> Response:
    response = JsonResponse({"success": True}, headers={"clear-site-data": '"cache"'})
    clear_cookie(http, response)
    return response
