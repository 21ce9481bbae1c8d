"""/api/v1/session/oidc: people sign in where the operator's OpenID Connect issuer says."""

import base64
import json
import logging
from typing import Annotated
from urllib.parse import urlencode

import anyio.to_thread
from fastapi import Query
from starlette.requests import Request
from starlette.responses import RedirectResponse

from losi.errors import LosiError
from losi.management.logins import Identity
from losi.web.cookies import clear_cookie, login_cookie, set_cookie, set_login_cookie
from losi.web.dependencies import services_of
from losi.web.openid_connect import Attempt, OpenIdConnect, SignInFailedError
from losi.web.site import stage_prefix

logger = logging.getLogger("losi.sign_in")

CALLBACK = "/api/v1/session/oidc/callback"


async def start_sign_in(http: Request, return_to: Annotated[str, Query()] = "") -> RedirectResponse:
    """Off to the issuer; what comes back must fit what this browser keeps in a cookie."""
    attempt = Attempt.new()
    client = await anyio.to_thread.run_sync(_client, http)
    url = await client.authorization_url(attempt, _callback(http))
    response = RedirectResponse(url, status_code=302)
    kept = [attempt.state, attempt.nonce, attempt.verifier, own_path(http, return_to)]
    set_login_cookie(http, response, base64.urlsafe_b64encode(json.dumps(kept).encode()).decode())
    return response


async def finish_sign_in(
    http: Request,
    code: Annotated[str, Query()] = "",
    state: Annotated[str, Query()] = "",
    error: Annotated[str, Query()] = "",
) -> RedirectResponse:
    """Back from the issuer: to the console, signed in, or to the sign-in page with a reason."""
    try:
        attempt, path = _kept(http)
        if not state or state != attempt.state:
            raise SignInFailedError("The answer belongs to another attempt.")
        if error or not code:
            raise SignInFailedError("The issuer refused.")
        client = await anyio.to_thread.run_sync(_client, http)
        identity = await client.identity(code, attempt, _callback(http))
        response = await anyio.to_thread.run_sync(_signed_in, http, identity, path)
    except LosiError as failed:
        logger.warning("sign-in refused: %s: %s", failed.code, failed.message)
        query = urlencode({"error": failed.code})
        page = f"{stage_prefix(http.scope)}/console/signin/?{query}"
        response = RedirectResponse(page, status_code=302)
    clear_cookie(http, response, "login")  # valid for one use
    return response


def own_path(http: Request, path: str) -> str:
    """The page to return to, if it is one of the console; else the console's first page."""
    home = f"{stage_prefix(http.scope)}/console/"
    foreign = not path.startswith(home) or "//" in path or "\\" in path or ":" in path
    return home if foreign or not path.isprintable() else path


def _signed_in(http: Request, identity: Identity, path: str) -> RedirectResponse:
    services = services_of(http)
    account = services.logins.account_for(identity)
    token = services.sessions.open(account.id, http.headers.get("user-agent", ""))
    response = RedirectResponse(path, status_code=302)
    set_cookie(http, response, token, services.config.retention.session_days)
    return response


def _kept(http: Request) -> tuple[Attempt, str]:
    """Raises SignInFailedError if this browser began no sign-in, or too long ago."""
    try:
        kept = json.loads(base64.urlsafe_b64decode(login_cookie(http)))
        state, nonce, verifier, path = map(str, kept)
    except (ValueError, TypeError):
        raise SignInFailedError("This browser has begun no sign-in.") from None
    return Attempt(state, nonce, verifier), own_path(http, path)


def _callback(http: Request) -> str:
    return f"{http.url.scheme}://{http.headers['host']}{stage_prefix(http.scope)}{CALLBACK}"


def _client(http: Request) -> OpenIdConnect:
    """Blocks while it reads the parameter."""
    return services_of(http).openid_connect
