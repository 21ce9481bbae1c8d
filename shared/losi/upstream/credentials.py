"""Provider credentials: the environment locally, one Secrets Manager secret in AWS.

The secret is a JSON object of the variables named in providers.toml. It is fetched on first use,
kept for five minutes, and fetched again at once when a provider refuses our key.
"""

import logging

from losi.config import Config
from losi.errors import StoreUnavailableError

logger = logging.getLogger("losi.credentials")

MAX_AGE_SECONDS = 300


def credential(config: Config, name: str, *, refresh: bool = False) -> str | None:
    """The value of a variable of providers.toml; blocks while it fetches the secret.

    Raises StoreUnavailableError when Secrets Manager cannot be read: that is the operator's
    trouble and passes, while a missing credential stays.
    """
    if value := config.variables.get(name):
        return value
    if not config.provider_secret:
        return None
    stored = _secret(config.provider_secret, refresh).get(name)
    return stored if isinstance(stored, str) and stored else None


def _secret(secret_id: str, refresh: bool) -> dict[str, object]:
    # imported here: 400 ms of CPU that no cold start should pay before its first provider call
    from aws_lambda_powertools.utilities import parameters
    from aws_lambda_powertools.utilities.parameters.exceptions import (
        GetParameterError,
        TransformParameterError,
    )

    try:
        value = parameters.get_secret(
            secret_id, transform="json", max_age=MAX_AGE_SECONDS, force_fetch=refresh
        )
    except GetParameterError as error:
        logger.error("the provider secret cannot be read: %s", type(error.__cause__).__name__)
        raise StoreUnavailableError from error
    except TransformParameterError:
        logger.error("the provider secret is not JSON: it must be an object of variables")
        return {}
    return value if isinstance(value, dict) else {}
