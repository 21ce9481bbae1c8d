"""The one call to Secrets Manager that functions make, without boto3: importing it would cost a
cold start more than everything else (docs/decisions/0010-hot-path.md).
"""

import json
import logging
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPException
from threading import Lock
from urllib.parse import urlsplit

from losi.errors import StoreUnavailableError
from losi.http1 import tls_context
from losi.store.signing import CredentialSource, NoCredentialsError, signed_headers

logger = logging.getLogger("losi.secret")

TARGET = "secretsmanager.GetSecretValue"
CALL_SECONDS = 3
TRIES = 2
#: After a failure, a value that is known serves so long until it is fetched again.
PAUSE_SECONDS = 10


@dataclass
class SecretStore:
    """`endpoint`: that of Secrets Manager; "" means AWS's own for the Region."""

    region: str
    endpoint: str = ""
    max_age: float = 300
    _credentials: CredentialSource = field(default_factory=CredentialSource)
    _known: dict[str, tuple[float, str]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def fresh(self, secret_id: str) -> str | None:
        """The known value, if it is at most `max_age` seconds old."""
        known = self._known.get(secret_id)
        return known[1] if known and time.monotonic() - known[0] <= self.max_age else None

    def text(self, secret_id: str, *, refresh: bool = False) -> str:
        """The secret's value, at most `max_age` seconds old, or older while it cannot be fetched.
        Blocks while it is fetched, unless another thread fetches it and the one before is still
        `fresh`.

        Raises StoreUnavailableError if no value is known, or the one that is known is no good
        (`refresh`): that is the operator's trouble, and may pass.
        """
        if not refresh and (known := self.fresh(secret_id)) is not None:
            return known
        with self._lock:
            value = None if refresh else self.fresh(secret_id)
            if value is None:
                value = self._newest(secret_id, known_is_good=not refresh)
            return value

    def _newest(self, secret_id: str, *, known_is_good: bool) -> str:
        _, known = self._known.get(secret_id, (0.0, None))
        try:
            value, read_at = self._fetched(secret_id), time.monotonic()
        except StoreUnavailableError:
            if known is None or not known_is_good:
                raise
            value, read_at = known, time.monotonic() - self.max_age + PAUSE_SECONDS
        self._known[secret_id] = read_at, value
        return value

    def _fetched(self, secret_id: str) -> str:
        reason = ""
        for _ in range(TRIES):
            try:
                answer = self._call({"SecretId": secret_id})
            except urllib.error.HTTPError as error:
                with error:
                    reason = f"{error.code} {error.read(200).decode(errors='replace')}"
                if error.code < 500:
                    break
            except (OSError, HTTPException, NoCredentialsError) as error:
                reason = type(error).__name__
            else:
                try:
                    return str(json.loads(answer)["SecretString"])
                except (ValueError, LookupError, TypeError):
                    reason = "the answer has no SecretString"
        logger.error("the provider secret cannot be read: %s", reason)
        raise StoreUnavailableError

    def _call(self, parameters: dict[str, str]) -> bytes:
        url = self.endpoint or f"https://secretsmanager.{self.region}.{_suffix(self.region)}"
        body = json.dumps(parameters).encode()
        headers = signed_headers(
            urlsplit(url).netloc,
            TARGET,
            body,
            self.region,
            self._credentials.read(),
            time.time(),
            service="secretsmanager",
        )
        request = urllib.request.Request(f"{url}/", body, headers)  # noqa: S310 (of our own making)
        context = tls_context() if url.startswith("https:") else None
        with urllib.request.urlopen(request, timeout=CALL_SECONDS, context=context) as answer:  # noqa: S310
            text: bytes = answer.read()
        return text


def _suffix(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
