"""How OpenAI and others with its format refuse, and how they learn who asks."""

import re
from collections.abc import Mapping
from typing import Any

from losi.catalogue.providers import Provider
from losi.errors import LosiError
from losi.upstream.format import retry_after_seconds, upstream_error
from losi.wire import Json

#: Gemini refuses our key with a 400: https://ai.google.dev/gemini-api/docs/troubleshooting
_BAD_KEY = re.compile(r"API key (not valid|not found|expired)", re.IGNORECASE)


def refusal(provider: str, status: int, body: Json | None, headers: Mapping[str, str]) -> LosiError:
    """OpenAI's error object, or the shapes other providers use for it, as one of ours."""
    error: Any = (body or {}).get("error", body) or {}
    if status < 400:
        status = _status_of(error)
    if not isinstance(error, dict):
        error = {"message": error}
    if status == 400 and _BAD_KEY.search(str(error.get("message"))):
        status = 401
    return upstream_error(
        status,
        provider,
        message=_text(error.get("message")),
        param=_text(error.get("param")),
        code=_text(error.get("code")),
        retry_after=retry_after_seconds(headers),
    )


def auth_headers(provider: Provider, api_key: str) -> dict[str, str]:
    if not api_key:
        return {}
    if provider.key_header == "authorization":
        return {"authorization": f"Bearer {api_key}"}
    return {provider.key_header: api_key}


def _status_of(error: Any) -> int:
    """The real status of an error sent with HTTP 200: its `status` or `code`, else 500."""
    for name in ("status", "code"):
        value = error.get(name) if isinstance(error, dict) else None
        if isinstance(value, str) and value.isdecimal():
            value = int(value)
        if isinstance(value, int) and 400 <= value < 600:
            return value
    return 500


def _text(value: Any) -> str | None:
    return value[:1000] if isinstance(value, str) and value else None
