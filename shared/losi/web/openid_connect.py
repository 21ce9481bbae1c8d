"""An OpenID Connect client: authorization code with PKCE, and the checks of an ID token.

https://openid.net/specs/openid-connect-core-1_0.html, sections 3.1.2 and 3.1.3.7. The signature is
verified by joserfc, which comes with the functions that need it (functions/sign_in).
"""

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
from pydantic import BaseModel, ValidationError

from losi.errors import LosiError
from losi.management.logins import Identity

#: The clocks of two machines may differ by up to this many seconds.
SKEW_SECONDS = 60
#: Only public-key signatures: a token signed with a shared secret, or unsigned, is refused.
ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA"]
#: An unknown key id makes us fetch the issuer's keys again, at most this often (seconds).
REFETCH_SECONDS = 60
TIMEOUT = httpx.Timeout(10.0)


class SignInFailedError(LosiError):
    """The sign-in failed. The message is for the log; the person must start again."""

    status = 400
    type = "invalid_request_error"
    code = "sign_in_failed"


@dataclass(frozen=True, slots=True)
class Client:
    """Our identity at the issuer. Without a secret, only PKCE binds the code to us."""

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sign-in in progress, kept in the browser's cookie until the browser comes back."""

    state: str
    nonce: str
    verifier: str = field(repr=False)

    @classmethod
    def new(cls) -> "Attempt":
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))

    @property
    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class _Metadata(BaseModel):
    """What we use of the issuer's configuration.
    https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata
    """

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class OpenIdConnect:
    """Safe for concurrent use. The issuer's published data is kept as long as the process lives."""

    def __init__(
        self,
        client: Client,
        clock: Callable[[], float] = time.time,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._transport = transport
        self._metadata: _Metadata | None = None
        self._keys: dict[str, Any] | None = None
        self._fetched = 0.0

    async def authorization_url(self, attempt: Attempt, redirect_uri: str) -> str:
        metadata = await self._discover()
        query = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": redirect_uri,
            "scope": "openid email profile",
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        return f"{metadata.authorization_endpoint}?{urlencode(query)}"

    async def identity(self, code: str, attempt: Attempt, redirect_uri: str) -> Identity:
        """The person who signed in, for the code that the issuer sent back. Raises
        SignInFailedError.
        """
        metadata = await self._discover()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": attempt.verifier,
            "client_id": self._client.client_id,
        }
        if self._client.client_secret:
            form["client_secret"] = self._client.client_secret
        answer = await self._fetch("POST", metadata.token_endpoint, form)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise SignInFailedError("The issuer's answer holds no ID token.")
        return await self.verify(token, attempt.nonce)

    async def verify(self, token: str, nonce: str) -> Identity:
        """The claims of a genuine ID token for us. Raises SignInFailedError that says what is
        wrong.

        If the token names an unknown key, the issuer's keys are fetched again, once: they may have
        been rotated.
        """
        from joserfc.errors import JoseError

        try:
            claims = self._decode(token, await self._published_keys())
        except (JoseError, ValueError):
            if self._clock() - self._fetched < REFETCH_SECONDS:
                raise SignInFailedError("The ID token's signature does not hold.") from None
            self._keys = None
            try:
                claims = self._decode(token, await self._published_keys())
            except (JoseError, ValueError) as error:
                raise SignInFailedError("The ID token's signature does not hold.") from error
        self._check(claims, nonce)
        verified = claims.get("email_verified") in (True, "true")  # Cognito sends a string
        return Identity(
            self._client.issuer,
            str(claims["sub"]),
            str(claims.get("email", "")) if verified else "",
            str(claims.get("name", "")),
        )

    def _decode(self, token: str, keys: Mapping[str, Any]) -> dict[str, Any]:
        from joserfc import jwt
        from joserfc.jwk import KeySet

        key_set = KeySet.import_key_set(keys)  # type: ignore[arg-type]
        claims: dict[str, Any] = jwt.decode(token, key_set, algorithms=ALGORITHMS).claims
        return claims

    def _check(self, claims: Mapping[str, Any], nonce: str) -> None:
        from joserfc import jwt
        from joserfc.errors import JoseError

        registry = jwt.JWTClaimsRegistry(
            now=lambda: int(self._clock()),
            leeway=SKEW_SECONDS,
            iss={"essential": True, "value": self._client.issuer},
            aud={"essential": True, "value": self._client.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            registry.validate(dict(claims))
        except JoseError as error:
            raise SignInFailedError(f"The ID token is not good: {error}.") from error
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if (several or "azp" in claims) and claims.get("azp") != self._client.client_id:
            raise SignInFailedError("The ID token was issued to another party.")

    async def _discover(self) -> _Metadata:
        if self._metadata is None:
            url = f"{self._client.issuer.rstrip('/')}/.well-known/openid-configuration"
            found = await self._fetch("GET", url)
            if found.get("issuer") != self._client.issuer:
                raise SignInFailedError("The issuer's configuration is that of another issuer.")
            try:
                self._metadata = _Metadata.model_validate(found)
            except ValidationError as error:
                field = error.errors()[0]["loc"][0]
                raise SignInFailedError(f"The issuer's configuration has no {field}.") from error
        return self._metadata

    async def _published_keys(self) -> dict[str, Any]:
        if self._keys is None:
            metadata = await self._discover()
            self._keys = await self._fetch("GET", metadata.jwks_uri)
            self._fetched = self._clock()
        return self._keys

    async def _fetch(
        self, method: str, url: str, form: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT, transport=self._transport) as http:
                response = await http.request(method, url, data=dict(form) if form else None)
                response.raise_for_status()
                answer = response.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise SignInFailedError(
                f"The issuer did not answer as it should: {type(error).__name__}."
            ) from error
        if not isinstance(answer, dict):
            raise SignInFailedError("The issuer did not answer with a JSON object.")
        return answer
