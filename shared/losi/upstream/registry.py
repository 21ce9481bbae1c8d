"""From a route's provider name to what answers: the provider's row, its credentials, its format."""

import logging
import os
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from losi.catalogue.providers import Provider, providers
from losi.errors import UpstreamUnavailableError
from losi.upstream.credentials import credential

logger = logging.getLogger("losi.providers")

SANDBOX = "sandbox"


#: What answers for a provider: the code of its format, made ready.
P = TypeVar("P")
#: Makes it from the provider's row, its base URL and its key.
Factory = Callable[[Provider, str | None, str | None], P]


class Registry(Generic[P]):
    """Upstreams of one process, made on first use and again when their credentials change."""

    def __init__(self, formats: Mapping[str, Factory[P]]) -> None:
        self._formats = formats
        self._made: dict[str, tuple[tuple[str | None, str | None], P]] = {}

    def upstream(self, name: str, *, refresh: bool = False) -> P:
        """Blocks when it fetches credentials: call it in a worker thread.

        Raises UpstreamUnavailableError (503, `upstream_not_configured`) when there are none: the
        log tells the operator which variable is missing, the caller learns nothing secret.
        """
        provider = providers()[name]
        base_url, key = settings(provider, refresh=refresh)
        if not _usable(provider, base_url, key):
            logger.error(
                "%s has no credentials: set %s",
                provider.name,
                provider.base_url_variable
                if key or provider.key_optional
                else provider.key_variable,
            )
            raise UpstreamUnavailableError(
                "This model is not available right now. The operator has been told why.",
                code="upstream_not_configured",
            )
        known = self._made.get(name)
        if known is None or known[0] != (base_url, key):
            known = self._made[name] = (
                (base_url, key),
                self._formats[provider.format](provider, base_url, key),
            )
        return known[1]


def configured(name: str) -> bool:
    """Whether the provider can be called at all: `make run` answers from the sandbox if not."""
    provider = providers()[name]
    return _usable(provider, *settings(provider))


def settings(provider: Provider, *, refresh: bool = False) -> tuple[str | None, str | None]:
    """Base URL and key of a provider, from its row, the environment or the provider secret."""
    key = credential(provider.key_variable, refresh=refresh) if provider.key_variable else None
    override = credential(provider.base_url_variable) if provider.base_url_variable else None
    return override or provider.base_url, key


def sandbox_answers_for_all() -> bool:
    """`make run`: models whose providers have no credentials are answered by the sandbox."""
    return os.environ.get("LOSI_SANDBOX_FALLBACK") == "1"


def _usable(provider: Provider, base_url: str | None, key: str | None) -> bool:
    if provider.format == "sandbox":
        return True
    has_key = bool(key) or provider.key_optional
    return has_key and (bool(base_url) or provider.format == "bedrock")
