"""The headers of answers: browsers may read all of them, and openapi.json lists them."""

import re
from collections.abc import MutableMapping
from typing import Any

from losi.ids import random_id

EVERY = {
    "x-request-id": "The id of the request: quote it to support.",
    "openai-processing-ms": "Milliseconds until the answer began.",
    "openai-version": "The version of OpenAI's API that this one follows.",
}
REFUSED = {
    "retry-after": "Seconds until it is worth trying again; SDKs wait by themselves.",
    "retry-after-ms": "The same in milliseconds.",
    "x-should-retry": "`false`: trying again does not help, and SDKs do not.",
}
#: Read by HTTP clients, not by a page's scripts.
UNAUTHORIZED = {"www-authenticate": "How to authenticate: `Bearer`."}
METERED = {
    **{
        f"x-ratelimit-{what}-{of}": f"{meaning} {of} a minute of your account."
        for of in ("requests", "tokens")
        for what, meaning in (
            ("limit", "The most"),
            ("remaining", "What is left of the"),
            ("reset", "How long, such as `6s`, until the limit is whole again:"),
        )
    },
    "x-losi-provider": "Who answered.",
    "x-losi-model": "The provider's name for the model.",
    "x-losi-attempts": "How many attempts it took.",
    "x-losi-dropped-params": "Parameters that the model does not take, left out.",
    "x-losi-mapped": "Parameters that the model takes in another way only: the nearest was sent.",
    "sunset": "The day the model is shut down, when that is near.",
}
EXPOSED = [*EVERY, *REFUSED, *METERED]

_TRACE = re.compile(r"(?:^|;)Root=(1-[0-9a-f]{8}-[0-9a-f]{24})(?:;|$)", re.ASCII)
_GATEWAY_ID = re.compile(r"[0-9a-zA-Z-]{8,64}", re.ASCII)


def request_id_of(scope: MutableMapping[str, Any]) -> str:
    """API Gateway's request id if there is one, so that its access log has the id that callers
    see.
    """
    event = scope.get("aws.event")
    context = event.get("requestContext") if isinstance(event, dict) else None
    given = context.get("requestId") if isinstance(context, dict) else None
    well_formed = isinstance(given, str) and _GATEWAY_ID.fullmatch(given)
    return str(given) if well_formed else f"req_{random_id(16)}"


def trace_id_of(scope: MutableMapping[str, Any]) -> str | None:
    """X-Ray's id, which API Gateway gives every request, traced or not."""
    if "aws.event" not in scope:
        return None
    found = _TRACE.search(header_of(scope, b"x-amzn-trace-id"))
    return found and found[1]


def header_of(scope: MutableMapping[str, Any], name: bytes) -> str:
    """The first value of a header, or ""; `name` in lower case."""
    for given, value in scope.get("headers", ()):
        if given == name:
            return str(value.decode("latin-1"))
    return ""
