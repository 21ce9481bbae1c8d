"""Suggests the right URL for a path without an endpoint. Pure; the site imports it, too."""

import difflib
import re

from losi.errors import echo
from losi.web.endpoints import BASE_PATH, ENDPOINTS

_RESOURCES = {e.resource: e.resource for e in ENDPOINTS if "{" not in e.resource}
#: An endpoint of OpenAI that does not exist here -> the one that does the same.
_MEANT = {**_RESOURCES, "/responses": "/chat/completions"}
#: How base URLs end, here and elsewhere; clients also write it twice.
_BASES = re.compile(r"(/(api|openai|v\d\w*)(?=/|$))+", re.IGNORECASE)


def unknown_url(method: str, path: str, prefix: str = "") -> str:
    """The message of a 404. `prefix` is what comes before the path in the deployed URL."""
    found = meant(path)
    remedy = (
        f"Did you mean {prefix}{found}?"
        if found
        else f"Check the path; all of them start with {prefix}{BASE_PATH}/."
    )
    return f"Unknown request URL: {echo(f'{method} {prefix}{path}')}. {remedy}"


def meant(path: str) -> str | None:
    """The most similar path that exists; None if none is similar."""
    tidy = re.sub("/+", "/", f"/{path}").rstrip("/")
    resource = _BASES.sub("", tidy, count=1) if _BASES.match(tidy) else tidy
    if resource.startswith("/models/"):
        return BASE_PATH + resource
    close = difflib.get_close_matches(resource.lower(), _MEANT, n=1, cutoff=0.8)
    return BASE_PATH + _MEANT[close[0]] if close else None
