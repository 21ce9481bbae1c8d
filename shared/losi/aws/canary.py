"""Calls the API by its public URL as a customer would, with a test key, which the sandbox answers.

Failures are counted (`losi.canary.failures`), so that an alarm watches the whole way from DNS and
API Gateway to the answer: no metric of requests can report a request that never arrived.
"""

import json
import logging
import time
import urllib.error
import urllib.request
from typing import Any

from losi.config import Config
from losi.logs import set_levels
from losi.observe import lines
from losi.observe.metrics import Metrics
from losi.observe.request import Event, count, counted
from losi.upstream.registry import credential

logger = logging.getLogger("losi.canary")

#: Set with `losi secret set`.
KEY_VARIABLE = "LOSI_CANARY_KEY"
#: Time limit (seconds) of each of its two requests.
SECONDS = 20.0


class CanaryFailedError(Exception):
    """What went wrong, in words that hold no secret."""


class Canary:
    """The Lambda handler."""

    def __init__(self, config: Config) -> None:
        set_levels(config.log_level)
        lines.write_to(lines.to_standard_output)
        self._config = config
        self._metrics = Metrics(config.metrics_namespace, config.metrics_details)

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        began, failure = time.monotonic(), ""
        with counted() as counts:
            try:
                self._ask()
            except Exception as error:  # whatever it is, no customer would have been served
                # the words of others may hold a secret
                failure = (
                    str(error) if isinstance(error, CanaryFailedError) else type(error).__name__
                )
                count(Event.CANARY_FAILED)
                logger.error("the canary failed: %s", failure)
        milliseconds = round((time.monotonic() - began) * 1000)
        lines.write_run("canary", counts, self._metrics, milliseconds=milliseconds)
        return {"failure": failure or None}

    def _ask(self) -> None:
        models = self._answer("/models").get("data", [])
        model = next((each["id"] for each in models if each["kind"] == "chat"), None)
        if model is None:
            raise CanaryFailedError("the key's plan has no chat model")
        hello = [{"role": "user", "content": "Hello"}]
        answer = self._answer("/chat/completions", {"model": model, "messages": hello})
        if not answer.get("choices"):
            raise CanaryFailedError("what was answered is no completion")

    def _answer(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        key = credential(self._config, KEY_VARIABLE)
        if not key or not key.startswith("losi-test-"):
            raise CanaryFailedError(f"{KEY_VARIABLE} is not set to a test key")
        request = urllib.request.Request(  # noqa: S310 (the deployment's own URL)
            self._config.canary_url + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as response:  # noqa: S310
                found: dict[str, Any] = json.load(response)
        except urllib.error.HTTPError as error:
            raise CanaryFailedError(f"{path} answered {error.code}") from None
        except (OSError, ValueError) as error:
            raise CanaryFailedError(f"{path} gave no answer: {type(error).__name__}") from None
        return found
