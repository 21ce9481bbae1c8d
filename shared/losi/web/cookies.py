"""The session cookie: which requests may use it, and how it is set.

Browsers send a cookie with requests of any page. So it counts only if the browser reports a page of
this origin (`Sec-Fetch-Site`, which no script can set). Changes also need a header that a form
cannot send. If there is an Authorization header, its key counts and the cookie is ignored.
"""

import ipaddress
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from losi.errors import InvalidRequestError, PermissionDeniedError
from losi.identity.session import SessionToken
from losi.identity.values import DAY_SECONDS

LOGIN_SECONDS = 600
WRITE_HEADER = "x-losi-console"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def session_token(request: Request) -> SessionToken | None:
    """The session that this request may use. Raises PermissionDeniedError (403)."""
    headers = request.headers
    if "authorization" in headers or not _is_own(request):
        return None
    token = SessionToken.parse(request.cookies.get(cookie_name(request), ""))
    if token is not None and request.method not in SAFE_METHODS:
        check_write(request)
    return token


def check_write(request: Request) -> None:
    """Raises PermissionDeniedError (403) unless a page of the console asks for the change."""
    headers = request.headers
    if not (
        headers.get("sec-fetch-site") == "same-origin"
        and _is_own_origin(request, headers.get("origin", ""))
        and headers.get(WRITE_HEADER) == "1"
    ):
        raise PermissionDeniedError(
            "A change by session is taken from the console's own pages only. Use the console, or "
            "send an API key in the Authorization header.",
            code="cross_site_request",
        )


def set_cookie(request: Request, response: Response, token: SessionToken, days: int) -> None:
    """Raises InvalidRequestError (400) if the cookie would travel unencrypted."""
    secure = _is_https(request)
    if not secure and not _is_loopback(request):
        raise InvalidRequestError(
            "Signing in needs https: over plain http the session could be read on the way.",
            code="https_required",
        )
    response.set_cookie(
        cookie_name(request),
        token.text,
        max_age=days * DAY_SECONDS,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",  # a strict cookie is not sent on the way back from an identity provider
    )


def set_login_cookie(request: Request, response: Response, value: str) -> None:
    """What a sign-in needs when the browser comes back from the issuer, for ten minutes."""
    response.set_cookie(
        cookie_name(request, "login"),
        value,
        max_age=LOGIN_SECONDS,
        path="/",
        secure=_is_https(request),
        httponly=True,
        samesite="lax",
    )


def login_cookie(request: Request) -> str:
    return request.cookies.get(cookie_name(request, "login"), "")


def clear_cookie(request: Request, response: Response, purpose: str = "") -> None:
    response.delete_cookie(
        cookie_name(request, purpose),
        path="/",
        secure=_is_https(request),
        httponly=True,
        samesite="lax",
    )


def cookie_name(request: Request, purpose: str = "") -> str:
    """Each stage and each port has its own cookie, because they share a host."""
    end = f"-{purpose}" if purpose else ""
    if not _is_https(request):
        return f"losi-{request.url.port or 80}{end}"
    stage = request.app.state.services.config.stage
    return f"__Host-losi{'-' + stage if stage else ''}{end}"


def _is_own(request: Request) -> bool:
    """Whether the request comes from a page of this origin, or from the address bar."""
    site = request.headers.get("sec-fetch-site", "none")
    origin = request.headers.get("origin")
    return site in ("same-origin", "none") and (origin is None or _is_own_origin(request, origin))


def _is_own_origin(request: Request, origin: str) -> bool:
    scheme = "https" if _is_https(request) else "http"
    return origin == f"{scheme}://{request.headers.get('host', '')}"


def _is_https(request: Request) -> bool:
    return request.url.scheme == "https"


def _is_loopback(request: Request) -> bool:
    try:
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
