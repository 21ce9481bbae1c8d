"""Signing in against a real OpenID Connect provider, and against tokens that must be refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from losi.web.openid_connect import Attempt, Client, OpenIdConnect, SignInFailedError
from tests.openid_provider import running_provider, visit

REDIRECT = "http://127.0.0.1:3000/api/v1/session/oidc/callback"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with running_provider(REDIRECT) as url:
        yield url


async def authorize(url: str, hint: str = "ada") -> dict[str, str]:
    return await visit(url, REDIRECT, hint)


async def test_a_person_signs_in(issuer: str) -> None:
    client = OpenIdConnect(Client(issuer, "losi"))
    attempt = Attempt.new()

    back = await authorize(await client.authorization_url(attempt, REDIRECT))
    identity = await client.identity(back["code"], attempt, REDIRECT)

    assert back["state"] == attempt.state
    assert (identity.issuer, identity.subject) == (issuer, "ada")
    assert identity.email == "ada@example.com" and identity.name == "ada"


async def test_an_address_that_nobody_verified_is_none(issuer: str) -> None:
    client = OpenIdConnect(Client(issuer, "losi"))
    attempt = Attempt.new()
    url = await client.authorization_url(attempt, REDIRECT)
    back = await authorize(url, "eve!unverified")

    assert (await client.identity(back["code"], attempt, REDIRECT)).email == ""


async def test_a_code_serves_once_and_only_who_asked_for_it(issuer: str) -> None:
    client = OpenIdConnect(Client(issuer, "losi"))
    attempt = Attempt.new()
    back = await authorize(await client.authorization_url(attempt, REDIRECT))

    with pytest.raises(SignInFailedError):  # another browser has another verifier
        await client.identity(back["code"], Attempt.new(), REDIRECT)

    back = await authorize(await client.authorization_url(attempt, REDIRECT))
    await client.identity(back["code"], attempt, REDIRECT)
    with pytest.raises(SignInFailedError):
        await client.identity(back["code"], attempt, REDIRECT)


async def test_a_token_for_another_attempt_is_refused(issuer: str) -> None:
    client = OpenIdConnect(Client(issuer, "losi"))
    attempt = Attempt.new()
    back = await authorize(await client.authorization_url(attempt, REDIRECT))
    replayed = Attempt(attempt.state, "another nonce", attempt.verifier)

    with pytest.raises(SignInFailedError, match="nonce"):
        await client.identity(back["code"], replayed, REDIRECT)


async def test_rotated_keys_are_fetched_again(issuer: str) -> None:
    clock = [time.time()]
    client = OpenIdConnect(Client(issuer, "losi"), lambda: clock[0])
    attempt = Attempt.new()
    back = await authorize(await client.authorization_url(attempt, REDIRECT))
    await client.identity(back["code"], attempt, REDIRECT)
    async with httpx.AsyncClient() as operator:
        await operator.post(f"{issuer}/rotate")

    clock[0] += 61
    back = await authorize(await client.authorization_url(attempt, REDIRECT))

    assert (await client.identity(back["code"], attempt, REDIRECT)).subject == "ada"


KEY = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
OTHER = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
NOW = 1_800_000_000
ISSUER = "https://issuer.test"


def minting_client(audience: str = "losi") -> OpenIdConnect:
    """A client of an issuer whose tokens the test mints itself."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("openid-configuration"):
            return httpx.Response(200, json={"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"})
        return httpx.Response(200, json={"keys": [KEY.as_dict(private=False)]})

    transport = httpx.MockTransport(answer)
    return OpenIdConnect(Client(ISSUER, audience), lambda: NOW, transport)


def token(key: Any = KEY, algorithm: str = "RS256", **changes: Any) -> str:
    claims = {
        "iss": ISSUER,
        "aud": "losi",
        "sub": "ada",
        "iat": NOW - 5,
        "exp": NOW + 300,
        "nonce": "n",
        "email": "ada@example.com",
        "email_verified": True,
    }
    claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    return jwt.encode({"alg": algorithm, "kid": "one"}, claims, key, algorithms=[algorithm])


async def test_a_genuine_token_is_taken_within_the_skew_of_clocks() -> None:
    for changes in ({}, {"exp": NOW - 59}, {"iat": NOW + 59}, {"aud": ["losi"]}):
        assert (await minting_client().verify(token(**changes), "n")).subject == "ada"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.test"},
        {"aud": "another"},
        {"aud": ["losi", "another"]},
        {"aud": ["losi", "another"], "azp": "another"},
        {"azp": "another"},
        {"exp": NOW - 61},
        {"exp": None},
        {"iat": NOW + 61},
        {"iat": None},
        {"nonce": "other"},
        {"nonce": None},
        {"sub": None},
    ],
    ids=str,
)
async def test_a_token_that_is_not_for_us_now_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SignInFailedError):
        await minting_client().verify(token(**changes), "n")


async def test_a_token_with_a_foreign_signature_or_none_is_refused() -> None:
    unsigned = token().rsplit(".", 1)[0] + "."
    symmetric = token(OctKey.import_key("x" * 32), "HS256")
    for forged in (token(OTHER), unsigned, symmetric, "not a token"):
        with pytest.raises(SignInFailedError):
            await minting_client().verify(forged, "n")


async def test_an_issuer_that_names_itself_otherwise_is_refused() -> None:
    transport = httpx.MockTransport(
        lambda request: httpx.Response(200, json={"issuer": "https://evil.test"})
    )
    client = OpenIdConnect(Client(ISSUER, "losi"), transport=transport)

    with pytest.raises(SignInFailedError) as refused:
        await client.authorization_url(Attempt.new(), REDIRECT)
    assert refused.value.code == "sign_in_failed"
