"""From a route's provider name to the provider that answers: vendor row + credentials + code."""

import logging
import os
from collections.abc import Callable

from losi.errors import UpstreamUnavailableError
from losi.providers.base import Provider
from losi.providers.credentials import credential
from losi.providers.vendors import Vendor, vendors

logger = logging.getLogger("losi.providers")

SANDBOX = "sandbox"


class Registry:
    """Providers of one process, made on first use and again when their credentials change."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[tuple[str | None, str | None], Provider]] = {}

    def provider(self, name: str, *, refresh: bool = False) -> Provider:
        """Blocks when it fetches credentials: call it in a worker thread.

        Raises UpstreamUnavailableError (503, `upstream_not_configured`) when there are none: the
        log tells the operator which variable is missing, the caller learns nothing secret.
        """
        vendor = vendors()[name]
        base_url, key = settings(vendor, refresh=refresh)
        if not _usable(vendor, base_url, key):
            logger.error(
                "%s has no credentials: set %s",
                vendor.name,
                vendor.base_url_variable if key or vendor.key_optional else vendor.key_variable,
            )
            raise UpstreamUnavailableError(
                "This model is not available right now. The operator has been told why.",
                code="upstream_not_configured",
            )
        known = self._made.get(name)
        if known is None or known[0] != (base_url, key):
            known = self._made[name] = (
                (base_url, key),
                _FORMATS[vendor.format](vendor, base_url, key),
            )
        return known[1]


def configured(name: str) -> bool:
    """Whether the provider can be called at all: `make run` answers from the sandbox if not."""
    vendor = vendors()[name]
    return _usable(vendor, *settings(vendor))


def settings(vendor: Vendor, *, refresh: bool = False) -> tuple[str | None, str | None]:
    """Base URL and key of a vendor, from its row, the environment or the provider secret."""
    key = credential(vendor.key_variable, refresh=refresh) if vendor.key_variable else None
    override = credential(vendor.base_url_variable) if vendor.base_url_variable else None
    return override or vendor.base_url, key


def sandbox_answers_for_all() -> bool:
    """`make run`: models whose providers have no credentials are answered by the sandbox."""
    return os.environ.get("LOSI_SANDBOX_FALLBACK") == "1"


def _usable(vendor: Vendor, base_url: str | None, key: str | None) -> bool:
    if vendor.format == "sandbox":
        return True
    has_key = bool(key) or vendor.key_optional
    return has_key and (bool(base_url) or vendor.format == "bedrock")


# Imported on first use: a cold start loads the code of the provider it calls and no other.


def _openai(vendor: Vendor, base_url: str | None, key: str | None) -> Provider:
    from losi.providers.openai_compatible import OpenAICompatibleProvider

    return OpenAICompatibleProvider(vendor, base_url or "", key)


def _anthropic(vendor: Vendor, base_url: str | None, key: str | None) -> Provider:
    from losi.providers.anthropic import AnthropicProvider

    return AnthropicProvider(vendor.name, base_url or "", key or "")


def _bedrock(vendor: Vendor, base_url: str | None, key: str | None) -> Provider:
    from losi.providers.bedrock import BedrockProvider, bedrock_client

    return BedrockProvider(lambda: bedrock_client(key))


def _sandbox(vendor: Vendor, base_url: str | None, key: str | None) -> Provider:
    from losi.providers.sandbox import SandboxProvider

    return SandboxProvider()


_FORMATS: dict[str, Callable[[Vendor, str | None, str | None], Provider]] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "bedrock": _bedrock,
    "sandbox": _sandbox,
}
