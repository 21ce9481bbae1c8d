"""An OpenID Connect issuer in this process. It refuses what a real one refuses: RFC 6749 section
5.2, RFC 7636 section 4.6. The same flow on a real one: tests/integration/test_openid_connect.py.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import RSAKey

ISSUER = "https://issuer.test"
NOW = 1_800_000_000


def new_key(kid: str = "one") -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid}, private=True)


KEY, OTHER_KEY = new_key(), new_key()


class Issuer:
    """Serves one client, `losi`, with a secret or without; signs with `key`."""

    def __init__(self, secret: str = "") -> None:
        self.transport = httpx.MockTransport(self._answer)
        self.key = KEY
        self.metadata: dict[str, Any] = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/jwks",
        }
        #: "METHOD /path" of each request.
        self.asked: list[str] = []
        #: What the next answers are instead: by path.
        self.broken: dict[str, httpx.Response | httpx.HTTPError] = {}
        self._secret = secret
        self._codes: dict[str, tuple[dict[str, str], str]] = {}

    def authorize(self, url: str, **claims: Any) -> dict[str, str]:
        """What a browser brings back that followed `url`, after its person has signed in."""
        query = dict(parse_qsl(urlsplit(url).query, strict_parsing=True))
        assert url.startswith(f"{self.metadata['authorization_endpoint']}?")
        assert (query["response_type"], query["client_id"]) == ("code", "losi")
        assert query["code_challenge_method"] == "S256"
        assert query["scope"].split() == ["openid", "email", "profile"]
        code = f"code-{len(self._codes)}"
        self._codes[code] = (query, self.token(**{"nonce": query["nonce"], **claims}))
        return {"code": code, "state": query["state"]}

    def token(self, key: Any = None, algorithm: str = "RS256", **changes: Any) -> str:
        """An ID token; a claim that is changed to None is left out."""
        claims = {
            "iss": ISSUER,
            "aud": "losi",
            "sub": "ada",
            "iat": NOW - 5,
            "exp": NOW + 300,
            "nonce": "n",
            "email": "ada@example.com",
            "email_verified": True,
            "name": "Ada",
            **changes,
        }
        told = {name: value for name, value in claims.items() if value is not None}
        key = key or self.key
        return jwt.encode({"alg": algorithm, "kid": key.kid or "one"}, told, key, [algorithm])

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(f"{request.method} {path}")
        if broken := self.broken.get(path):
            if isinstance(broken, httpx.HTTPError):
                raise broken
            return broken
        match self.asked[-1]:
            case "GET /.well-known/openid-configuration":
                return httpx.Response(200, json=self.metadata)
            case "GET /jwks":
                return httpx.Response(200, json={"keys": [self.key.as_dict(private=False)]})
            case "POST /token":
                return self._redeem(dict(parse_qsl(request.content.decode())))
        return httpx.Response(404)

    def _redeem(self, form: dict[str, str]) -> httpx.Response:
        if form.get("grant_type") != "authorization_code":
            return httpx.Response(400, json={"error": "unsupported_grant_type"})
        if (form.get("client_id"), form.get("client_secret", "")) != ("losi", self._secret):
            return httpx.Response(401, json={"error": "invalid_client"})
        query, token = self._codes.pop(form.get("code", ""), ({}, ""))
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if (query.get("redirect_uri"), query.get("code_challenge")) != (
            form.get("redirect_uri"),
            challenge,
        ):
            return httpx.Response(400, json={"error": "invalid_grant"})
        return httpx.Response(200, json={"id_token": token, "token_type": "Bearer"})
