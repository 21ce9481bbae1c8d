"""Signing in with an issuer of the test's own, and tokens that must be refused."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from joserfc.jwk import OctKey

from losi.management.logins import Identity
from losi.web import openid_connect
from losi.web.openid_connect import Attempt, Client, OpenIdConnect, SignInFailedError
from tests.issuer import ISSUER, NOW, OTHER_KEY, Issuer, new_key

REDIRECT = "http://127.0.0.1:3000/api/v1/session/oidc/callback"
ATTEMPT = Attempt("s", "n", "v" * 43)
DISCOVERY = "/.well-known/openid-configuration"


class World:
    def __init__(self, secret: str = "", issuer: str = ISSUER) -> None:
        self.now = float(NOW)
        self.issuer = Issuer(secret)
        client = Client(issuer, "losi", secret)
        self.client = OpenIdConnect(client, lambda: self.now, self.issuer.transport)

    async def sign_in(self, attempt: Attempt = ATTEMPT, **claims: Any) -> Identity:
        url = await self.client.authorization_url(attempt, REDIRECT)
        back = self.issuer.authorize(url, **claims)
        assert back["state"] == attempt.state
        return await self.client.identity(back["code"], attempt, REDIRECT)


@pytest.fixture
def world() -> World:
    return World()


def test_attempts_have_nothing_in_common() -> None:
    first, second = Attempt.new(), Attempt.new()

    secrets = {first.state, first.nonce, first.verifier, second.state, second.nonce}
    assert len({*secrets, second.verifier}) == 6
    # RFC 7636, section 4.1: of 43 to 128 characters
    assert all(len(secret) == 43 for secret in secrets)


@pytest.mark.parametrize("secret", ["", "hush"])
async def test_a_person_signs_in(secret: str) -> None:
    identity = await World(secret).sign_in(Attempt.new())

    assert identity == Identity(ISSUER, "ada", "ada@example.com", "Ada")


@pytest.mark.parametrize(
    ("claims", "email"),
    [
        ({"email_verified": True}, "ada@example.com"),
        ({"email_verified": "true"}, "ada@example.com"),  # Amazon Cognito
        ({"email_verified": False}, ""),
        ({"email_verified": "false"}, ""),
        ({"email_verified": None}, ""),
        ({"email": None}, ""),
    ],
)
async def test_an_address_counts_where_the_issuer_verified_it(
    world: World, claims: dict[str, Any], email: str
) -> None:
    assert (await world.sign_in(**claims)).email == email


async def test_a_person_without_a_name_has_an_empty_one(world: World) -> None:
    assert (await world.sign_in(name=None)).name == ""


async def test_a_code_serves_who_asked_for_it(world: World) -> None:
    with pytest.raises(SignInFailedError, match="nonce"):
        await world.sign_in(nonce="of another attempt")

    back = world.issuer.authorize(await world.client.authorization_url(ATTEMPT, REDIRECT))
    with pytest.raises(SignInFailedError, match="HTTPStatusError"):
        await world.client.identity(back["code"], Attempt.new(), REDIRECT)


async def test_what_an_issuer_publishes_is_asked_once(world: World) -> None:
    for _ in range(3):
        await world.sign_in()

    assert sorted(set(world.issuer.asked)) == [f"GET {DISCOVERY}", "GET /jwks", "POST /token"]
    assert len(world.issuer.asked) == 1 + 1 + 3


@pytest.mark.parametrize("field", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
async def test_an_issuer_without_an_address_fails_the_sign_in(world: World, field: str) -> None:
    del world.issuer.metadata[field]

    with pytest.raises(SignInFailedError, match=f"configuration has no {field}"):
        await world.client.authorization_url(ATTEMPT, REDIRECT)


async def test_an_issuer_whose_address_is_none_fails_the_sign_in(world: World) -> None:
    world.issuer.metadata["token_endpoint"] = "https://issuer.test:port/token"

    with pytest.raises(SignInFailedError, match="InvalidURL"):
        await world.client.identity("code", ATTEMPT, REDIRECT)


async def test_an_issuer_may_end_in_a_slash() -> None:
    world = World(issuer=f"{ISSUER}/")
    world.issuer.metadata["issuer"] = f"{ISSUER}/"

    assert (await world.sign_in(iss=f"{ISSUER}/")).issuer == f"{ISSUER}/"
    assert world.issuer.asked[0] == f"GET {DISCOVERY}"


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"exp": NOW - 59},
        {"iat": NOW + 60},
        {"aud": ["losi"]},
        {"aud": ["losi", "b"], "azp": "losi"},
        {"azp": "losi"},
    ],
    ids=str,
)
async def test_a_genuine_token_is_taken_within_the_skew_of_clocks(
    world: World, claims: dict[str, Any]
) -> None:
    assert (await world.client.verify(world.issuer.token(**claims), "n")).subject == "ada"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.test"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
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
async def test_a_token_that_is_not_for_us_now_is_refused(
    world: World, claims: dict[str, Any]
) -> None:
    with pytest.raises(SignInFailedError, match=r"The ID token (is not good|was issued)"):
        await world.client.verify(world.issuer.token(**claims), "n")


async def test_a_token_with_a_foreign_signature_or_none_is_refused(world: World) -> None:
    issuer = world.issuer
    unsigned = issuer.token().rsplit(".", 1)[0] + "."
    symmetric = issuer.token(OctKey.import_key("x" * 32), "HS256")
    for forged in (issuer.token(OTHER_KEY), unsigned, symmetric, "not a token"):
        for _ in range(2):
            with pytest.raises(SignInFailedError, match="signature"):
                await world.client.verify(forged, "n")
            world.now += 60


class TestKeysThatRotate:
    async def test_are_fetched_again_but_not_within_a_minute(self, world: World) -> None:
        await world.sign_in()
        world.issuer.key = new_key("two")

        world.now += 59.9
        with pytest.raises(SignInFailedError, match="signature"):
            await world.sign_in()
        assert world.issuer.asked.count("GET /jwks") == 1

        world.now += 0.1
        assert (await world.sign_in()).subject == "ada"
        assert world.issuer.asked.count("GET /jwks") == 2

    async def test_forged_tokens_do_not_make_us_ask_more_often(self, world: World) -> None:
        for seconds in (0, 60, 0, 59):
            world.now += seconds
            with pytest.raises(SignInFailedError, match="signature"):
                await world.client.verify("not a token", "n")

        assert world.issuer.asked.count("GET /jwks") == 2


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        (DISCOVERY, httpx.Response(500), "HTTPStatusError"),
        (DISCOVERY, httpx.Response(200, text="<html>"), "JSONDecodeError"),
        (DISCOVERY, httpx.Response(200, json=[]), "JSON object"),
        (DISCOVERY, httpx.Response(200, json={"issuer": "https://evil.test"}), "another issuer"),
        (DISCOVERY, httpx.Response(200, json={}), "another issuer"),
        (DISCOVERY, httpx.ConnectError("no route"), "ConnectError"),
        ("/token", httpx.Response(200, json={}), "no ID token"),
        ("/token", httpx.Response(200, json={"id_token": 1}), "no ID token"),
        ("/token", httpx.ReadTimeout("slow"), "ReadTimeout"),
        ("/jwks", httpx.Response(503), "HTTPStatusError"),
        ("/jwks", httpx.Response(200, json={"keys": []}), "signature"),
        ("/jwks", httpx.Response(200, json={"keys": [{}]}), "signature"),
    ],
)
async def test_an_issuer_that_fails_signs_nobody_in(
    world: World, path: str, answer: httpx.Response | httpx.HTTPError, said: str
) -> None:
    world.issuer.broken[path] = answer

    with pytest.raises(SignInFailedError, match=said) as refused:
        await world.sign_in()

    assert (refused.value.status, refused.value.code) == (400, "sign_in_failed")
    assert refused.value.type == "invalid_request_error"
    del world.issuer.broken[path]
    world.now += 60
    assert (await world.sign_in()).subject == "ada", "nothing wrong was kept"


def test_secrets_are_not_in_what_a_log_may_show() -> None:
    client = openid_connect.Client("https://issuer.test", "losi", "hush")
    attempt = openid_connect.Attempt("state", "nonce", "hush")

    assert "hush" not in f"{client!r}{attempt!r}"
