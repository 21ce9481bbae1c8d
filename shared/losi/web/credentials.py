"""The API key of a request: the one place that reads credentials from headers."""

from starlette.datastructures import Headers

from losi.identity.authenticator import refused
from losi.identity.secret import PREFIX, Secret, parse


def api_key(headers: Headers) -> Secret:
    """The key of the Authorization header. Raises AuthenticationError (401).

    No message repeats any of the header: it may hold a secret.
    """
    values = headers.getlist("authorization")
    if len(values) > 1:  # gateways and firewalls differ in which of them they read
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
    return _parse(words[1])


def _parse(token: str) -> Secret:
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
