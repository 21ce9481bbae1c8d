"""Arguments of strict tools that an upstream cannot be held to are checked, in every format."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from losi.catalogue.models import Route
from losi.upstream.format import Format, UpstreamCall
from losi.upstream.openai.chat import OpenAIChat
from losi.upstream.registry import Settings
from losi.upstream.wishes import CheckedExchange, UnmetWishError, prepare
from tests.catalogue import PROVIDERS
from tests.contract.formats import SUBJECTS
from tests.fake_format import chunks_of
from tests.loose import Json, loose
from tests.strict_upstream import StrictUpstream

MODELS = {
    "openai": "gpt-4o",
    "openai-responses": "gpt-6.1-sol",
    "anthropic": "claude-sonnet-4-6",
    "bedrock": "global.anthropic.claude-sonnet-4-6",
}
OPENAI = PROVIDERS["openai"].model_copy(update={"strict_schemas": "openai"})
FORMATS: dict[str, Callable[[str], Format]] = {
    **{one.name: one.format for one in SUBJECTS},
    "openai": lambda url: OpenAIChat(OPENAI, Settings(f"{url}/v1", "sk-1")),
}
every_format = pytest.mark.parametrize("name", MODELS)


@pytest.fixture
async def upstream() -> AsyncIterator[StrictUpstream]:
    """It keeps to the schemas that it is sent, and calls with the word `text`."""
    async with StrictUpstream() as upstream:
        yield upstream


def ask(upstream: StrictUpstream, name: str, word: Json, *, strict: bool = True) -> CheckedExchange:
    look = {
        "name": "look",
        "strict": strict,
        "parameters": {
            "type": "object",
            "properties": {"word": {"type": "string", **word}},
            "required": ["word"],
            "additionalProperties": False,
        },
    }
    body = {
        "model": MODELS[name],
        "messages": [{"role": "user", "content": "Please look it up"}],
        "max_tokens": 500,
        "tools": [{"type": "function", "function": look}],
    }
    route = Route(provider=PROVIDERS[name], model=MODELS[name])
    return prepare(FORMATS[name](upstream.url), UpstreamCall(loose(body), route, "req_1"))


#: `not` is no part of what vendors keep to: it goes as words into the description.
BROKEN = {"not": {"const": "text"}}
KEPT_BY_CHANCE = {"not": {"const": "other"}}


@every_format
async def test_arguments_that_break_a_loosened_schema_are_no_answer(
    upstream: StrictUpstream, name: str
) -> None:
    checked = ask(upstream, name, BROKEN)

    unmet = checked.unmet(await checked.exchange.complete())

    assert upstream.refused == []
    assert checked.mapped == {"tools"}
    assert unmet is not None
    assert (unmet.status, unmet.code) == (502, "schema_not_met")
    assert "'look'" in unmet.message and "text" not in unmet.message


@every_format
async def test_a_stream_ends_with_the_error_after_its_usage(
    upstream: StrictUpstream, name: str
) -> None:
    seen: list[Json] = []

    with pytest.raises(UnmetWishError):
        async for chunk in chunks_of(ask(upstream, name, BROKEN).stream()):
            seen.append(chunk)

    assert seen[-1]["usage"]
    assert not any(choice["finish_reason"] for chunk in seen for choice in chunk["choices"])


@every_format
async def test_arguments_that_keep_to_it_are_the_answer(
    upstream: StrictUpstream, name: str
) -> None:
    checked = ask(upstream, name, KEPT_BY_CHANCE)

    assert checked.unmet(await checked.exchange.complete()) is None
    chunks = [chunk async for chunk in chunks_of(ask(upstream, name, KEPT_BY_CHANCE).stream())]
    ends = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
    assert ends[-1] == "tool_calls"


@every_format
@pytest.mark.parametrize(
    ("word", "strict"), [({}, True), (BROKEN, False)], ids=["as it is", "not strict"]
)
async def test_what_was_not_loosened_is_not_checked(
    upstream: StrictUpstream, name: str, word: Json, strict: bool
) -> None:
    checked = ask(upstream, name, word, strict=strict)

    assert (checked.mapped, checked.checks) == (frozenset(), ())
