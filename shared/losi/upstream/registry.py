"""From a route's provider name to the upstream: the provider's row, its credentials, its format."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from losi.catalogue.providers import Provider
from losi.config import Config
from losi.errors import Remedy, UpstreamUnavailableError
from losi.upstream.credentials import are_here, credential

logger = logging.getLogger("losi.providers")


@dataclass(frozen=True, slots=True)
class Settings:
    """How to call a provider: its address and key, from its row, the environment or the provider
    secret.
    """

    base_url: str = ""
    key: str = ""
    region: str = ""


#: An upstream: a format with a provider's settings.
P = TypeVar("P")
Factory = Callable[[Provider, Settings], P]


class Registry(Generic[P]):
    """The upstreams of one process, made on first use and again when their settings change."""

    def __init__(self, formats: Mapping[str, Factory[P]], config: Config) -> None:
        self._formats = formats
        self._config = config
        self._made: dict[str, tuple[Settings, P]] = {}

    @property
    def blocks(self) -> bool:
        """Whether credentials have to be fetched."""
        return not are_here(self._config)

    def upstream(self, provider: Provider, *, refresh: bool = False) -> P:
        """Where it `blocks`, or is to `refresh`, it is to be called in a worker thread.

        Raises UpstreamUnavailableError (503, `upstream_not_configured`) when a setting is missing:
        the log names its variable, the caller learns nothing secret.
        """
        found = settings(self._config, provider, refresh=refresh)
        if variable := _missing(provider, found):
            logger.error("%s cannot be called: set %s", provider.name, variable)
            raise UpstreamUnavailableError(
                "This model is not available right now. The reason is in the operator's log.",
                code="upstream_not_configured",
                remedy=Remedy.NEXT_ROUTE,
            )
        known = self._made.get(provider.id)
        if known is None or known[0] != found:
            made = self._formats[provider.format](provider, found)
            known = self._made[provider.id] = (found, made)
        return known[1]

    def stands_in(self, provider: Provider) -> bool:
        """Whether the sandbox answers for the provider: in `make run`, without its credentials."""
        return self._config.sandbox_fallback and not configured(self._config, provider)


def configured(config: Config, provider: Provider) -> bool:
    """Whether the provider can be called at all: if not, `make run` answers from the sandbox."""
    return missing(config, provider) is None


def missing(config: Config, provider: Provider) -> str | None:
    """The variable that is missing to call the provider; None if nothing is missing."""
    return _missing(provider, settings(config, provider))


def settings(config: Config, provider: Provider, *, refresh: bool = False) -> Settings:
    """The provider's settings. Blocks when it fetches the provider secret; `refresh` fetches it
    again.
    """

    def value(variable: str | None, *, refresh: bool = False) -> str:
        return (credential(config, variable, refresh=refresh) if variable else None) or ""

    return Settings(
        key=value(provider.key_variable, refresh=refresh),
        base_url=value(provider.base_url_variable) or provider.base_url or "",
        region=value(provider.region_variable),
    )


def _missing(provider: Provider, found: Settings) -> str | None:
    if provider.key_variable and not (found.key or provider.key_optional):
        return provider.key_variable
    if provider.base_url_variable and not found.base_url:
        return provider.base_url_variable
    if provider.region_variable and not found.region:
        return provider.region_variable
    return None
