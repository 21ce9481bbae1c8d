"""docs/models.md shows how to add a model, a provider and a plan: its examples work as written."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from losi.catalogue.loader import SHIPPED, CatalogueError, load
from losi.catalogue.models import Catalogue
from losi.chat.prepare import prepare
from losi.chat.request import parse_chat_request
from losi.config import read_config
from losi.upstream.format import UpstreamCall
from losi.upstream.registry import Registry
from losi.web.formats import FORMATS
from tests.fake_upstream import FakeUpstream, Reply

PAGE = (Path(__file__).parents[3] / "docs" / "models.md").read_text()
MODEL_EXAMPLE, PROVIDER_EXAMPLE, PLAN_EXAMPLE = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
[REFUSALS] = re.findall(r"```\n(config/.*?)```", PAGE, re.DOTALL)
ANSWER = {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The operator's folder, with what the page says to put there."""
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "models.toml").write_text(MODEL_EXAMPLE)
    (folder / "providers.toml").write_text(PROVIDER_EXAMPLE)
    (folder / "plans.toml").write_text(PLAN_EXAMPLE)
    return folder


@pytest.fixture
def catalogue(config: Path) -> Catalogue:
    return load(SHIPPED, config)


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as server:
        server.replies = [Reply.json(ANSWER)]
        yield server


async def test_the_models_example_answers(
    catalogue: Catalogue, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = catalogue.find("oss-fast", catalogue.plans["pro"], "chat")
    monkeypatch.setenv("LOSI_GROQ_API_KEY", "gsk-key")
    monkeypatch.setenv("LOSI_GROQ_BASE_URL", upstream.url)
    request = parse_chat_request(
        {"model": model.id, "messages": [{"role": "user", "content": "Hi"}], "logprobs": True}
    )

    prepared = prepare(request, model, model.routes[0])
    answer = (
        await Registry(FORMATS, read_config())
        .upstream(model.routes[0].provider)
        .prepare(UpstreamCall(prepared.body, model.routes[0], "req_1"))
        .complete()
    )

    assert answer == ANSWER
    assert prepared.dropped == ("logprobs",)
    assert upstream.requests[0].json["model"] == "openai/gpt-oss-120b"
    assert upstream.requests[0].headers["authorization"] == "Bearer gsk-key"


def test_the_examples_are_as_long_as_the_page_says() -> None:
    assert "## Add a model in twelve lines" in PAGE
    assert len(MODEL_EXAMPLE.splitlines()) == 12
    assert "## Add a provider in five lines" in PAGE
    assert len(PROVIDER_EXAMPLE.splitlines()) == 5


def test_the_providers_example_is_a_provider(catalogue: Catalogue) -> None:
    assert catalogue.providers["fireworks"].format == "openai"
    assert catalogue.providers["fireworks"].key_variable == "LOSI_FIREWORKS_API_KEY"
    assert catalogue.providers.keys() - load(SHIPPED).providers.keys() == {"fireworks"}


def test_the_plans_example_replaces_the_shipped_plan(catalogue: Catalogue) -> None:
    assert catalogue.plans["free"].tokens_per_day == 200_000
    assert list(catalogue.plans) == list(load(SHIPPED).plans)


def test_the_refusals_are_those_of_the_page(config: Path) -> None:
    (config / "models.toml").write_text(MODEL_EXAMPLE.replace('"pro"', '"plsu"'))
    (config / "plans.toml").write_text(PLAN_EXAMPLE.replace("minute = 20", 'minute = "ten"'))

    with pytest.raises(CatalogueError) as caught:
        load(SHIPPED, config)

    assert sorted(caught.value.mistakes) == REFUSALS.splitlines()
