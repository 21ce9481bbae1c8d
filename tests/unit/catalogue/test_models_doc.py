"""docs/models.md shows how to add a model and a provider: its examples work as written."""

import re
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path

import pytest

from losi.catalogue.models import parse_catalog
from losi.catalogue.plans import plans
from losi.catalogue.providers import parse_providers, providers
from losi.chat.prepare import prepare
from losi.chat.request import parse_chat_request
from losi.upstream.format import UpstreamCall
from losi.upstream.registry import Registry
from losi.web.formats import FORMATS
from tests.fake_upstream import FakeUpstream, Reply

PAGE = (Path(__file__).parents[3] / "docs" / "models.md").read_text()
MODEL_EXAMPLE, PROVIDER_EXAMPLE = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
ANSWER = {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}


def shipped(name: str) -> str:
    return files("losi.catalogue").joinpath(name).read_text("utf-8")


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as server:
        server.replies = [Reply.json(ANSWER)]
        yield server


async def test_the_models_example_answers(
    upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = parse_catalog(shipped("models.toml") + MODEL_EXAMPLE).find("llama-fast", plans()["pro"])
    monkeypatch.setenv("LOSI_GROQ_API_KEY", "gsk-key")
    monkeypatch.setenv("LOSI_GROQ_BASE_URL", upstream.url)
    request = parse_chat_request(
        {"model": model.id, "messages": [{"role": "user", "content": "Hi"}], "logprobs": True}
    )

    prepared = prepare(request, model, model.routes[0])
    answer = (
        await Registry(FORMATS)
        .upstream("groq")
        .prepare(UpstreamCall(prepared.body, model.routes[0], "req_1"))
        .complete()
    )

    assert answer == ANSWER
    assert prepared.dropped == ("logprobs",)
    assert upstream.requests[0].json["model"] == "llama-3.3-70b-versatile"
    assert upstream.requests[0].headers["authorization"] == "Bearer gsk-key"


def test_the_provider_example_is_one() -> None:
    table = parse_providers(shipped("providers.toml") + PROVIDER_EXAMPLE)

    assert table["fireworks"].format == "openai"
    assert table["fireworks"].key_variable == "LOSI_FIREWORKS_API_KEY"
    assert table.keys() - providers().keys() == {"fireworks"}


def test_every_documented_model_is_there_with_the_documented_features() -> None:
    catalog = parse_catalog(shipped("models.toml"))
    documented = {
        "gpt-4o": {"vision", "tools"},
        "gpt-4o-mini": {"tools"},
        "gpt-3.5-turbo": {"tools"},
        "losi-omega": {"tools", "reasoning"},
        "claude-3.5-sonnet": {"vision", "tools"},
    }

    for name, features in documented.items():
        model = catalog.find(name, plans()["ultra"])
        assert features <= model.features
        assert model.prices.input > 0 and model.prices.output > 0
        assert all(route.provider in providers() for route in model.routes)


def test_two_models_may_not_share_a_ledger_code() -> None:
    with pytest.raises(ValueError, match="share"):
        parse_catalog(shipped("models.toml") + MODEL_EXAMPLE.replace('"ll"', '"4o"'))
