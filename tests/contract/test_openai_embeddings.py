"""OpenAI's embeddings over a real socket: what is sent, what is taken, what is refused."""

from typing import Any

import pytest

from losi.catalogue.models import Route
from losi.errors import InvalidRequestError, LosiError, UpstreamError, UpstreamUnavailableError
from losi.upstream.format import UpstreamCall
from losi.upstream.openai.embeddings import OpenAIEmbeddings
from losi.upstream.registry import Settings
from tests.catalogue import PROVIDERS
from tests.fake_upstream import FakeUpstream, Reply
from tests.loose import Json, loose

ROUTE = Route(provider=PROVIDERS["openai"], model="text-embedding-3-small")
#: https://platform.openai.com/docs/api-reference/embeddings/create
ANSWER: Json = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.0023064255, -0.009327292]}],
    "model": "text-embedding-3-small",
    "usage": {"prompt_tokens": 8, "total_tokens": 8},
}


async def embed(upstream: FakeUpstream, reply: Reply, given: Any = "The food") -> Json:
    upstream.replies = [reply]
    settings = Settings(base_url=f"{upstream.url}/v1", key="secret", region="")
    embedder = OpenAIEmbeddings(PROVIDERS["openai"], settings)
    return await embedder.embed(
        UpstreamCall(loose({"model": ROUTE.model, "input": given, "dimensions": 2}), ROUTE, "req_1")
    )


async def test_the_request_is_openais_with_our_key(upstream: FakeUpstream) -> None:
    assert await embed(upstream, Reply.json(ANSWER)) == ANSWER

    [request] = upstream.requests
    assert (request.method, request.path) == ("POST", "/v1/embeddings")
    assert request.headers["authorization"] == "Bearer secret"
    assert request.json == {"model": ROUTE.model, "input": "The food", "dimensions": 2}


@pytest.mark.parametrize(
    ("given", "data"),
    [
        pytest.param("one", [], id="no vector"),
        pytest.param(["one", "two"], ANSWER["data"], id="one vector for two texts"),
        pytest.param([1, 2], ANSWER["data"] * 2, id="two vectors for the tokens of one"),
        pytest.param("one", [{"index": 0}], id="a vector without numbers"),
        pytest.param("one", [{"embedding": [0.1]}], id="a vector of nobody knows what"),
        pytest.param("one", ["vector"], id="no object"),
        pytest.param("one", None, id="no data"),
    ],
)
async def test_what_is_no_vector_for_each_input_is_malformed(
    upstream: FakeUpstream, given: Any, data: Any
) -> None:
    with pytest.raises(UpstreamError) as caught:
        await embed(upstream, Reply.json({**ANSWER, "data": data}), given)

    assert caught.value.code == "upstream_malformed"


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, InvalidRequestError, "context_length_exceeded"),
        (401, UpstreamUnavailableError, "upstream_credentials"),
        (404, UpstreamError, "upstream_model_not_found"),
        (429, UpstreamUnavailableError, "upstream_rate_limited"),
        (500, UpstreamError, "upstream_error"),
        (503, UpstreamUnavailableError, "upstream_overloaded"),
    ],
)
async def test_refusals_mean_what_they_mean_for_chats(
    upstream: FakeUpstream, status: int, kind: type[LosiError], code: str
) -> None:
    error = {"message": "words", "type": "x", "param": None, "code": "context_length_exceeded"}
    with pytest.raises(kind) as caught:
        await embed(upstream, Reply.json({"error": error}, status))

    assert caught.value.code == code


async def test_an_error_behind_a_200_is_an_error(upstream: FakeUpstream) -> None:
    with pytest.raises(UpstreamUnavailableError):
        await embed(upstream, Reply.json({"error": {"message": "busy", "code": 503}}))
