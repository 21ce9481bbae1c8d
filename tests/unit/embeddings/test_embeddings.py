"""The use case around provider and ledger: what is admitted, charged and answered."""

import base64
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from losi.catalogue.providers import Provider
from losi.config import Config
from losi.embeddings.embeddings import PERMISSION, Embeddings
from losi.embeddings.request import parse_embedding_request
from losi.errors import ModelNotFoundError, PermissionDeniedError, UpstreamError
from losi.identity.authenticator import Authenticator
from losi.identity.key import NewKey
from losi.management.accounts import Accounts
from losi.metering.gate import Caller, Gate
from losi.metering.usage import Usage
from losi.observe.request import RequestLine, observed
from losi.upstream.format import Embedder, UpstreamCall, malformed
from losi.upstream.registry import Registry
from losi.upstream.routing import Router
from tests.catalogue import CATALOGUE
from tests.ledger_world import BlockingLedger, Clock, make_gate
from tests.loose import Json

VECTOR = [0.25, -0.5]
ANSWER: Json = {
    "object": "list",
    "model": "text-embedding-3-small",
    "data": [{"object": "embedding", "index": 0, "embedding": VECTOR}],
    "usage": {"prompt_tokens": 9, "total_tokens": 9},
}


class FakeEmbedder:
    def __init__(self, answer: Json | Exception) -> None:
        self.answer = answer
        self.calls: list[UpstreamCall] = []

    async def embed(self, call: UpstreamCall[Json]) -> Json:
        self.calls.append(call)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class OneEmbedder(Registry[Embedder]):
    def __init__(self, embedder: Embedder) -> None:
        super().__init__({}, Config())
        self.one = embedder

    def upstream(self, provider: Provider, *, refresh: bool = False) -> Embedder:
        return self.one


@dataclass
class World:
    embeddings: Embeddings
    gate: Gate
    ledger: BlockingLedger
    account_id: str
    caller: Caller
    upstream: FakeEmbedder

    async def create(self, **body: Any) -> tuple[Json, dict[str, str]]:
        asked = {"model": "text-embedding-3-small", "input": "Hello", **body}
        principal = await self.gate.authenticate(self.caller.credential, PERMISSION)
        return await self.embeddings.create(self.caller, principal, parse_embedding_request(asked))

    def settled(self) -> tuple[int, Usage]:
        days = self.ledger.usage(self.account_id, date(2026, 1, 1), date(2026, 12, 31))
        return (days[0].requests, days[0].total) if days else (0, Usage(0, 0))


@pytest.fixture
def world(
    accounts: Accounts, authenticator: Authenticator, ledger: BlockingLedger, clock: Clock
) -> Callable[..., World]:
    def make(answer: Json | Exception = ANSWER, permission: str = PERMISSION) -> World:
        account = accounts.create_account("plus")
        _, secret = accounts.create_key(account.id, NewKey("key", frozenset({permission})))
        gate, upstream = make_gate(authenticator, ledger, clock), FakeEmbedder(answer)
        router = Router(OneEmbedder(upstream), sleep=no_sleep)
        caller = Caller(secret, PERMISSION, "req_1", 60)
        embeddings = Embeddings(gate, CATALOGUE, router)
        return World(embeddings, gate, ledger, account.id, caller, upstream)

    return make


async def no_sleep(seconds: float) -> None:
    """Backoff is tested with the routes."""


async def test_the_providers_figures_are_counted_as_input(world: Callable[..., World]) -> None:
    here = world()

    answer, headers = await here.create()

    assert answer["model"] == "text-embedding-3-small"
    assert answer["usage"] == {"prompt_tokens": 9, "total_tokens": 9}
    assert here.settled() == (1, Usage(9, 0))
    assert headers["x-losi-provider"] == "openai"
    assert "x-ratelimit-remaining-tokens" in headers


async def test_absurd_figures_are_counted_as_far_as_they_can_be(
    world: Callable[..., World],
) -> None:
    here = world({**ANSWER, "usage": {"prompt_tokens": 10**15}})

    await here.create()

    assert here.settled() == (
        1,
        Usage(CATALOGUE.models["text-embedding-3-small"].context_window, 0),
    )


@pytest.mark.parametrize("nothing", [None, [], "many", {}])
async def test_without_figures_the_estimate_is_counted(
    world: Callable[..., World], nothing: object
) -> None:
    here = world({**ANSWER, "usage": nothing})

    with observed(RequestLine("req_1", "POST", "test")) as request:
        answer, _ = await here.create(input=[1, 2, 3])

    assert answer["usage"]["prompt_tokens"] == 3
    assert here.settled() == (1, Usage(3, 0))
    assert request.line.estimated


@pytest.mark.parametrize("told", [VECTOR, base64.b64encode(struct.pack("<2f", *VECTOR)).decode()])
async def test_base64_is_given_where_it_is_asked_for(
    world: Callable[..., World], told: Any
) -> None:
    here = world({**ANSWER, "data": [{"index": 0, "embedding": told}]})

    answer, _ = await here.create(encoding_format="base64")

    given = base64.b64decode(answer["data"][0]["embedding"])
    assert list(struct.unpack("<2f", given)) == VECTOR


async def test_vectors_come_in_the_order_of_their_inputs(world: Callable[..., World]) -> None:
    data = [{"index": 1, "embedding": [1.0]}, {"index": 0, "embedding": [0.0]}]
    answer, _ = await world({**ANSWER, "data": data}).create(input=["a", "b"])

    assert [one["embedding"] for one in answer["data"]] == [[0.0], [1.0]]


async def test_what_is_sent_is_the_request_under_the_upstreams_name(
    world: Callable[..., World],
) -> None:
    here = world()

    await here.create(dimensions=2, user=None)

    [call] = here.upstream.calls
    assert call.body == {"model": "text-embedding-3-small", "input": "Hello", "dimensions": 2}


async def test_a_failure_is_free_and_says_where_the_limits_stand(
    world: Callable[..., World],
) -> None:
    here = world(malformed("OpenAI"))

    with pytest.raises(UpstreamError) as caught:
        await here.create()

    assert here.settled() == (0, Usage(0, 0))
    assert "x-ratelimit-remaining-requests" in caught.value.headers


@pytest.mark.parametrize("model", ["gpt-4o", "no-such-model"])
async def test_only_embedding_models_answer(world: Callable[..., World], model: str) -> None:
    here = world()

    with pytest.raises(ModelNotFoundError, match="text-embedding-3-small"):
        await here.create(model=model)

    assert not here.upstream.calls


async def test_a_key_without_the_permission_is_told_which(world: Callable[..., World]) -> None:
    with pytest.raises(PermissionDeniedError, match="'embeddings'"):
        await world(permission="models.list").create()


async def test_a_test_key_reaches_only_the_sandbox(
    world: Callable[..., World], accounts: Accounts
) -> None:
    here = world()
    key = NewKey("key", frozenset({PERMISSION}), test=True)
    _, secret = accounts.create_key(here.account_id, key)
    here.caller = Caller(secret, PERMISSION, "req_1", 60)

    await here.create()

    assert here.upstream.calls[0].route.provider.id == "sandbox"
