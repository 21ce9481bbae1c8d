"""From a route's provider name to the provider that answers: vendor row + credentials + code."""

import logging
import os
from collections.abc import Callable, Mapping

from losi.catalogue.providers import Vendor, vendors
from losi.errors import UpstreamUnavailableError
from losi.upstream.credentials import credential
from losi.upstream.provider import Provider

logger = logging.getLogger("losi.providers")

SANDBOX = "sandbox"


#: Makes the provider that speaks a format, from its row, its base URL and its key.
Factory = Callable[[Vendor, str | None, str | None], Provider]


class Registry:
    """Providers of one process, made on first use and again when their credentials change."""

    def __init__(self, formats: Mapping[str, Factory]) -> None:
        self._formats = formats
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
                self._formats[vendor.format](vendor, base_url, key),
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
