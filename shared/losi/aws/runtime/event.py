"""API Gateway's proxy event (REST API, payload format 1.0) as an ASGI scope and a request body.

Mangum has a translator too, but it joins repeated headers, takes any base64, and fails on odd Host
headers.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode

from losi.aws.base_path import own_path
from losi.aws.runtime.runtime_api import LambdaContext
from losi.errors import InvalidRequestError

if TYPE_CHECKING:
    from starlette.types import Scope


class MalformedEventError(Exception):
    """Not an event that API Gateway sends: somebody invoked the function by hand."""


def parse_event(payload: bytes) -> dict[str, Any]:
    try:
        event = json.loads(payload)
    except ValueError:
        raise MalformedEventError("the event is not JSON") from None
    if not isinstance(event, dict):
        raise MalformedEventError("the event is not a JSON object")
    for name in ("httpMethod", "path"):
        if not isinstance(event.get(name), str):
            raise MalformedEventError(f"the event has no {name}: not a REST API proxy event")
    return event


def _object(parent: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = parent.get(name) or {}
    if not isinstance(value, dict):
        raise MalformedEventError(f"the event's {name} is not an object")
    return value


def to_scope(event: Mapping[str, Any], context: LambdaContext) -> "Scope":
    headers = _headers(event)
    forwarded = dict(headers)
    identity = _object(_object(event, "requestContext"), "identity")
    path = own_path(event)
    return {
        "type": "http",
        # 2.4: a send() that raises OSError says that the client is gone
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": event["httpMethod"].upper(),
        "scheme": forwarded.get(b"x-forwarded-proto", b"https").decode("latin-1"),
        # REST APIs leave the path encoded (and decode the query)
        "path": unquote(path),
        "raw_path": quote(path, safe="/%:@!$&'()*+,;=~").encode(),
        "root_path": "",
        "query_string": _query_string(event),
        "headers": headers,
        "client": (identity.get("sourceIp") or "", 0),
        "server": None,
        "aws.event": event,
        "aws.context": context,
    }


def _headers(event: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    values: dict[str, list[Any]] = {
        name.lower(): [value] for name, value in _object(event, "headers").items()
    }
    for name, several in _object(event, "multiValueHeaders").items():
        values[name.lower()] = several if isinstance(several, list) else [several]
    return [
        (name.encode("utf-8", "replace"), str(value).encode("utf-8", "replace"))
        for name, several in values.items()
        for value in several
    ]


def _query_string(event: Mapping[str, Any]) -> bytes:
    repeated = _object(event, "multiValueQueryStringParameters")
    query = repeated or _object(event, "queryStringParameters")
    return urlencode(query, doseq=True, errors="replace").encode()


def request_body(event: Mapping[str, Any]) -> bytes:
    """Raises InvalidRequestError when a body that is called base64 is none."""
    body = event.get("body") or ""
    if not isinstance(body, str):
        raise MalformedEventError("the event's body is not a string")
    if not event.get("isBase64Encoded"):
        # lone surrogates become bytes that no JSON parser takes: a 400 of the app, not a crash
        return body.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequestError(
            "The request body is marked as base64 but cannot be decoded. Send the JSON as it is.",
            code="invalid_json",
        ) from None
