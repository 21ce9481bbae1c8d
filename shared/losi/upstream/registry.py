"""Finds the upstream for a provider's name: the provider's row, its credentials, its format.

Credentials come from the environment, or from the provider secret: one secret in Secrets Manager, a
JSON object of the variables named in providers.toml. It is fetched on first use, kept for five
minutes, and fetched again at once when a provider refuses our key.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Generic, TypeVar

from losi.config import Config
from losi.errors import Remedy, UpstreamUnavailableError
from losi.store.secret import SecretStore

if TYPE_CHECKING:  # so that the canary does not load pydantic
    from losi.catalogue.providers import Provider

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
Factory = Callable[["Provider", Settings], P]


@dataclass(slots=True)
class _Known(Generic[P]):
    """What is known about a provider until the provider secret changes."""

    secret: Mapping[str, object] | None
    settings: Settings
    #: The missing variable, without which it cannot be called.
    missing: str | None
    #: Made on first use.
    upstream: P | None


class Registry(Generic[P]):
    """The upstreams of one process, made on first use and again when their settings change."""

    def __init__(self, formats: Mapping[str, Factory[P]], config: Config) -> None:
        self._formats = formats
        self._config = config
        self._known: dict[str, _Known[P]] = {}
        #: Whether a provider's settings are all in variables.
        self._in_variables: dict[str, bool] = {}

    @property
    def blocks(self) -> bool:
        """Whether the provider secret has to be fetched."""
        config = self._config
        if not config.provider_secret:
            return False
        return (
            _secrets(config.region, config.secrets_endpoint).fresh(config.provider_secret) is None
        )

    def upstream(self, provider: Provider, *, refresh: bool = False) -> P:
        """Call it in a worker thread if it `blocks`, or with `refresh`.

        Raises UpstreamUnavailableError (503, `upstream_not_configured`) when a setting is missing:
        the log names its variable, the caller learns nothing secret.
        """
        known = self._current(provider, refresh=refresh)
        if variable := known.missing:
            logger.error("%s cannot be called: set %s", provider.name, variable)
            raise UpstreamUnavailableError(
                "This model is not available right now. The reason is in the operator's log.",
                code="upstream_not_configured",
                remedy=Remedy.NEXT_ROUTE,
            )
        if known.upstream is None:
            known.upstream = self._formats[provider.format](provider, known.settings)
        return known.upstream

    def stands_in(self, provider: Provider) -> bool:
        """Whether the sandbox answers for the provider: in `make run`, without its credentials."""
        return self._config.sandbox_fallback and self._current(provider).missing is not None

    def _current(self, provider: Provider, *, refresh: bool = False) -> _Known[P]:
        secret = self._secret(provider, refresh=refresh)
        known = self._known.get(provider.id)
        if known is None or known.secret is not secret:
            found = settings(self._config, provider)
            upstream = known.upstream if known and known.settings == found else None
            known = _Known(secret, found, _missing(provider, found), upstream)
            self._known[provider.id] = known
        return known

    def _secret(self, provider: Provider, *, refresh: bool) -> Mapping[str, object] | None:
        """The provider secret, or None if the provider has nothing in it."""
        in_variables = self._in_variables.get(provider.id)
        if in_variables is None:
            named = (provider.key_variable, provider.base_url_variable, provider.region_variable)
            in_variables = all(self._config.variables.get(name) for name in named if name)
            self._in_variables[provider.id] = in_variables
        return None if in_variables else _provider_secret(self._config, refresh=refresh)


def configured(config: Config, provider: Provider) -> bool:
    """Whether the provider can be called at all: if not, `make run` answers from the sandbox."""
    return missing(config, provider) is None


def missing(config: Config, provider: Provider) -> str | None:
    """The variable that is missing to call the provider; None if nothing is missing."""
    return _missing(provider, settings(config, provider))


def settings(config: Config, provider: Provider) -> Settings:
    """The provider's settings. Blocks when it fetches the provider secret."""

    def value(variable: str | None) -> str:
        return (credential(config, variable) if variable else None) or ""

    return Settings(
        key=value(provider.key_variable),
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


def credential(config: Config, name: str) -> str | None:
    """The value of a variable of providers.toml. Blocks while it fetches the secret. Raises
    StoreUnavailableError if Secrets Manager cannot be read: that is temporary, while a missing
    credential is not.
    """
    if value := config.variables.get(name):
        return value
    stored = _provider_secret(config).get(name)
    return stored if isinstance(stored, str) and stored else None


def _provider_secret(config: Config, *, refresh: bool = False) -> Mapping[str, object]:
    """The variables of the provider secret: the same object as long as they are the same. Blocks
    and raises as `credential` does.
    """
    if not config.provider_secret:
        return _NONE
    store = _secrets(config.region, config.secrets_endpoint)
    return _object(store.text(config.provider_secret, refresh=refresh))


_NONE: Mapping[str, object] = {}

#: One for the process: all registries share what was read.
_secrets = cache(SecretStore)


@lru_cache(maxsize=2)
def _object(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except ValueError:
        logger.error("the provider secret is not JSON: it must be an object of variables")
        return {}
    return value if isinstance(value, dict) else {}
