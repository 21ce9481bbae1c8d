"""How OpenAI and providers with its format refuse, and how they are sent our credentials."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from losi.catalogue.providers import Provider
from losi.errors import LosiError
from losi.upstream.format import retry_after_seconds, upstream_error

if TYPE_CHECKING:
    from losi.wire import JsonObject

#: Gemini refuses our key with a 400: https://ai.google.dev/gemini-api/docs/troubleshooting
_BAD_KEY = re.compile(r"API key (not valid|not found|expired)", re.IGNORECASE)

#: What speaks of the operator's account with the provider, though the status is that of a rate
#: limit or of a fault in the request. https://platform.openai.com/docs/guides/error-codes
_ACCOUNT_CODES = {
    "access_terminated",
    "account_deactivated",
    "billing_hard_limit_reached",
    "billing_not_active",
    "credit_balance_exhausted",
    "insufficient_balance",
    "insufficient_credits",
    "insufficient_quota",
    "insufficient_user_quota",
    "organization_restricted",
}
_ACCOUNT_MESSAGE = re.compile(
    r"insufficient (account )?(balance|credits?|funds|quota)|credit balance|out of credits?\b"
    r"|billing|spend(ing)? limit|in arrears"
    r"|(organization|account) (must be|has been|is) (verified|restricted|disabled|deactivated)"
    r"|account is not active",
    re.IGNORECASE,
)


def refusal(
    provider: str, status: int, body: JsonObject | None, headers: Mapping[str, str]
) -> LosiError:
    """Translate OpenAI's error object, or the shapes other providers use for it, into one of our
    errors.
    """
    error: Any = (body or {}).get("error", body) or {}
    if status < 400:
        status = _status_of(error)
    if not isinstance(error, dict):
        error = {"message": error}
    if status == 400 and _BAD_KEY.search(str(error.get("message"))):
        status = 401
    if status in (400, 403, 404, 429) and _is_of_account(error):
        status = 402
    return upstream_error(
        status,
        provider,
        message=_text(error.get("message")),
        param=_text(error.get("param")),
        code=_text(error.get("code")),
        retry_after=retry_after_seconds(headers),
    )


def _is_of_account(error: JsonObject) -> bool:
    if _ACCOUNT_CODES & {str(error.get("code")).lower(), str(error.get("type")).lower()}:
        return True
    # Gemini says to check plan and billing even if a limit per minute was hit
    is_gemini_limit = error.get("status") == "RESOURCE_EXHAUSTED"
    return not is_gemini_limit and bool(_ACCOUNT_MESSAGE.search(str(error.get("message"))))


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
