"""Reads the credential of a request, an API key or a session. No other module does."""

from starlette.datastructures import Headers
from starlette.requests import Request

from losi.identity.authenticator import refused
from losi.identity.secret import PREFIX, Secret, parse
from losi.identity.session import Credential
from losi.web.cookies import session_token


def credential(request: Request) -> Credential:
    """The API key of the Authorization header; without one, the console's session if its cookie
    counts (losi.web.cookies). Raises AuthenticationError (401) if there is neither.
    """
    return session_token(request) or api_key(request.headers)


def api_key(headers: Headers) -> Secret:
    """The key of the Authorization header. Raises AuthenticationError (401).

    No message repeats any of the header: it may hold a secret.
    """
    values = headers.getlist("authorization")
    # gateways and firewalls differ in which one they read; some join them with a comma
    if len(values) > 1 or any("," in value for value in values):
        raise refused("Send the Authorization header once; this request has it more than once.")
    words = values[0].split() if values else []
    if len(words) != 2 or words[0].lower() != "bearer":
        raise refused(_mistake_in_header(words))
    return parse_key(words[1])


def parse_key(token: str) -> Secret:
    """Raises AuthenticationError (401) for what is no key of this API."""
    key = parse(token)
    if key is None:
        raise refused(_mistake_in_key(token))
    return key


def _mistake_in_header(words: list[str]) -> str:
    if not words:
        return (
            "You did not provide an API key. Send it in the Authorization header: "
            "'Authorization: Bearer losi-...'."
        )
    if words[0].lower() == "bearer":
        if len(words) > 1:
            return "Invalid Authorization header: after 'Bearer' comes the API key alone."
        return (
            "Invalid Authorization header: no API key follows 'Bearer'. "
            "If it comes from a variable, check that the variable is set."
        )
    if words[0].startswith(PREFIX):
        return "Invalid Authorization header: put 'Bearer ' in front of the API key."
    return (
        "Invalid Authorization header: its scheme must be Bearer, as in "
        "'Authorization: Bearer losi-...'."
    )


def _mistake_in_key(token: str) -> str:
    if token.startswith(PREFIX):
        return (
            "Invalid API key: it is incomplete or mistyped (its checksum does not fit). "
            "Copy all of it again, without quotes."
        )
    return (
        "Invalid API key: keys of this API start with 'losi-'. "
        "Is this the key of another service, or has the variable not been filled in?"
    )
