"""Signing in with a real OpenID Connect provider; what is refused:
tests/unit/web/test_openid_connect.py and tests/contract/web/test_sign_in.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

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
