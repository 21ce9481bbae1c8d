"""AWS Signature Version 4 for JSON posts, and the source of its credentials.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv4-create-signed-request.html
"""

import hashlib
import hmac
import json
import logging
import os
import time
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from http.client import HTTPException
from threading import Lock
from urllib.parse import urlsplit

logger = logging.getLogger("losi.store")

#: Credentials are renewed this long before they end (botocore's advisory period).
REFRESH_SECONDS = 900
#: While some are good, their source is asked no more often, whether it fails or has no newer ones.
PAUSE_SECONDS = 10
#: The protocol version of each service.
CONTENT_TYPES = {
    "dynamodb": "application/x-amz-json-1.0",
    "secretsmanager": "application/x-amz-json-1.1",
}

#: Credentials may be fetched from this host, from ECS's and EKS's addresses, or over TLS.
_THIS_HOST = {"127.0.0.1", "localhost", "::1"}
_LINK_LOCAL = "169.254.170."


class NoCredentialsError(Exception):
    """Nothing can be signed: there are no AWS credentials, or their source does not answer."""


@dataclass(frozen=True, slots=True)
class Credentials:
    access_key: str
    secret_key: str
    token: str | None = None
    #: Epoch seconds.
    expires: float = float("inf")


class CredentialSource:
    """Credentials from the environment, the container endpoint (SnapStart), or else from where
    boto3 looks.

    The endpoint:
    https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html. They are
    renewed before they end: an environment restored from a snapshot gets new ones.
    """

    def __init__(self) -> None:
        self._known: Credentials | None = None
        #: When to look for newer ones. Those that are known serve meanwhile, up to their end.
        self._renew_at = 0.0
        self._lock = Lock()

    def fresh(self) -> Credentials | None:
        """Known credentials that can be used; None if `read` must be called."""
        known = self._known
        if known is not None and time.time() < min(self._renew_at, known.expires):
            return known
        return None

    def read(self) -> Credentials:
        """Read the credentials; blocks while asking the endpoint. If that fails, those that are
        known serve to their end. Raises NoCredentialsError.
        """
        with self._lock:
            if (known := self.fresh()) is not None:
                return known
            self._renew_at = time.time() + PAUSE_SECONDS
            try:
                found = _read()
            except NoCredentialsError as error:
                logger.warning("AWS credentials cannot be renewed: %s", error)
                if (known := self.fresh()) is not None:
                    return known
                raise
            self._known = found
            self._renew_at = max(self._renew_at, found.expires - REFRESH_SECONDS)
            return found


def _read() -> Credentials:
    env = os.environ
    if access_key := env.get("AWS_ACCESS_KEY_ID"):
        if not (secret_key := env.get("AWS_SECRET_ACCESS_KEY")):
            raise NoCredentialsError("AWS_ACCESS_KEY_ID is set, but not AWS_SECRET_ACCESS_KEY")
        return Credentials(access_key, secret_key, env.get("AWS_SESSION_TOKEN"))
    if url := env.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        return _from_container(url, env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN"))
    return _as_boto3_does()


def _from_container(url: str, token: str | None) -> Credentials:
    parts = urlsplit(url)
    host = parts.hostname or ""
    here = parts.scheme == "http" and (host in _THIS_HOST or host.startswith(_LINK_LOCAL))
    if not here and parts.scheme != "https":
        raise NoCredentialsError("the container credentials endpoint is not on this host")
    headers = {"Authorization": token} if token else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 (http or https, see above)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            text = answer.read()
    except (OSError, HTTPException) as error:
        raise NoCredentialsError(f"the container's endpoint: {type(error).__name__}") from error
    try:
        fields = json.loads(text)
        expires = datetime.fromisoformat(fields["Expiration"]).timestamp()
        key, secret, session = (fields[n] for n in ("AccessKeyId", "SecretAccessKey", "Token"))
    except (ValueError, LookupError, TypeError):  # no message: it may quote a secret
        raise NoCredentialsError("the container's endpoint answered something else") from None
    return Credentials(key, secret, session, expires)


def _as_boto3_does() -> Credentials:
    """For developers' machines: profiles, SSO. Slow to import, so only if nothing else is set."""
    import botocore.session
    from botocore.exceptions import BotoCoreError

    try:
        found = botocore.session.get_session().get_credentials()
        frozen = found and found.get_frozen_credentials()  # which asks for them anew, with SSO
    except BotoCoreError as error:
        raise NoCredentialsError(f"AWS credentials cannot be read: {error}") from error
    if frozen is None:
        raise NoCredentialsError("no AWS credentials were found")
    if not frozen.access_key or not frozen.secret_key:
        raise NoCredentialsError("the AWS credentials that were found are incomplete")
    return Credentials(frozen.access_key, frozen.secret_key, frozen.token, time.time() + 1800)


def signed_headers(
    host: str,
    target: str,
    body: bytes,
    region: str,
    credentials: Credentials,
    now: float,
    service: str = "dynamodb",
) -> dict[str, str]:
    """The headers of a signed `POST /` of AWS's JSON protocol."""
    stamp = _stamp(int(now))
    day = stamp[:8]
    headers = {  # in the order of their names, in which they are signed
        "content-type": CONTENT_TYPES[service],
        "host": host,
        "x-amz-date": stamp,
        **({"x-amz-security-token": credentials.token} if credentials.token else {}),
        "x-amz-target": target,
    }
    names = ";".join(headers)
    lines = "".join([f"{name}:{value}\n" for name, value in headers.items()])
    request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{day}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    key = _signing_key(credentials.secret_key, day, region, service)
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    del headers["host"]  # added by the HTTP client
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return headers


@lru_cache(maxsize=4)
def _stamp(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y%m%dT%H%M%SZ")


@lru_cache(maxsize=4)
def _signing_key(secret_key: str, day: str, region: str, service: str) -> bytes:
    """The signing key. It is the same for a whole day."""
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
