"""Reads the credential of a request, an API key or a session. No other module does."""

from starlette.datastructures import Headers
from starlette.requests import Request

from losi.identity.authenticator import refused
from losi.identity.secret import PREFIX, Secret, parse
from losi.identity.session import Credential
from losi.web.cookies import session_token


def credential(request: Request) -> Credential:
    """The console's session if its cookie counts (losi.web.cookies), else the API key."""
    return session_token(request) or api_key(request.headers)


def api_key(headers: Headers) -> Secret:
    """The key of the Authorization header. Raises AuthenticationError (401).

    No message repeats any of the header: it may hold a secret.
    """
    values = headers.getlist("authorization")
    # gateways and firewalls differ in which one they read; some join them with a comma
    if len(values) > 1 or any("," in value for value in values):
        raise refused("Send the Authorization header once; this request has it more than once.")
    return _bearer(values[0] if values else "")


def _bearer(authorization: str) -> Secret:
    words = authorization.split()
    if not words:
        raise refused(
            "You did not provide an API key. Send it in the Authorization header: "
            "'Authorization: Bearer losi-...'."
        )
    if words[0].lower() != "bearer":
        if words[0].startswith(PREFIX):
            raise refused("Invalid Authorization header: put 'Bearer ' in front of the API key.")
        raise refused(
            "Invalid Authorization header: its scheme must be Bearer, as in "
            "'Authorization: Bearer losi-...'."
        )
    if len(words) == 1:
        raise refused(
            "Invalid Authorization header: no API key follows 'Bearer'. "
            "If it comes from a variable, check that the variable is set."
        )
    if len(words) > 2:
        raise refused("Invalid Authorization header: after 'Bearer' comes the API key alone.")
    return parse_key(words[1])


def parse_key(token: str) -> Secret:
    if not token.startswith(PREFIX):
        raise refused(
            "Invalid API key: keys of this API start with 'losi-'. "
            "Is this the key of another service, or has the variable not been filled in?"
        )
    key = parse(token)
    if key is None:
        raise refused(
            "Invalid API key: it is incomplete or mistyped (its checksum does not fit). "
            "Copy all of it again, without quotes."
        )
    return key
