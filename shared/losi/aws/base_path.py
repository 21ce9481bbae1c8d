"""The base path of an operator's own domain, which API Gateway puts before each event's path."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote


def own_path(event: Mapping[str, Any]) -> str:
    """The event's path as this API knows it, still encoded.

    `resource` never has the base path, and names what of the path are parameters:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """
    path: str = event["path"] or "/"
    resource, _, parameter = str(event.get("resource") or "").partition("{")
    given = event.get("pathParameters") or {}
    value = given.get(parameter.rstrip("+}")) if isinstance(given, Mapping) else None
    if parameter and not isinstance(value, str):
        return path
    known = resource + (value or "")
    if known == "/":
        return known
    for form in (str, unquote):  # API Gateway leaves parameters encoded, sam local does not
        shown, own = form(path).rstrip("/"), form(known).rstrip("/")
        base = shown.removesuffix(own)  # of letters that nobody encodes
        if own and base != shown and path.startswith(base):
            return path[len(base) :]
    return path
