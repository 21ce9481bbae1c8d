"""Provider credentials: the environment locally, one Secrets Manager secret in AWS.

The secret is a JSON object of the variables named in providers.toml. It is fetched on first use,
kept for five minutes, and fetched again at once when a provider refuses our key.
"""

import json
import logging
from collections.abc import Mapping
from functools import cache, lru_cache

from losi.config import Config
from losi.store.secret import SecretStore

logger = logging.getLogger("losi.credentials")


def credential(config: Config, name: str) -> str | None:
    """The value of a variable of providers.toml. Blocks while it fetches the secret. Raises
    StoreUnavailableError if Secrets Manager cannot be read: that is temporary, while a missing
    credential is not.
    """
    if value := config.variables.get(name):
        return value
    stored = provider_secret(config).get(name)
    return stored if isinstance(stored, str) and stored else None


def provider_secret(config: Config, *, refresh: bool = False) -> Mapping[str, object]:
    """The variables of the provider secret: the same object as long as they are the same. Blocks
    and raises as `credential` does.
    """
    if not config.provider_secret:
        return _NONE
    store = _store(config.region, config.secrets_endpoint)
    return _object(store.text(config.provider_secret, refresh=refresh))


def are_here(config: Config) -> bool:
    """Whether `credential` answers at once, because nothing has to be fetched."""
    if not config.provider_secret:
        return True
    store = _store(config.region, config.secrets_endpoint)
    return store.fresh(config.provider_secret) is not None


_NONE: Mapping[str, object] = {}

#: One for the process: all registries share what was read.
_store = cache(SecretStore)


@lru_cache(maxsize=2)
def _object(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except ValueError:
        logger.error("the provider secret is not JSON: it must be an object of variables")
        return {}
    return value if isinstance(value, dict) else {}
