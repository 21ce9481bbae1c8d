"""What Claude does is the same at Anthropic and on Bedrock: the ids differ, the model does not."""

from typing import Any

import pytest

from losi.catalogue.models import Route
from losi.upstream.anthropic.request import translate
from losi.upstream.bedrock.request import converse_request
from losi.upstream.claude import (
    Thinks,
    fitting_thinking,
    in_order,
    placed,
    sampling,
    takes_budget,
    thinking_fields,
    thinks,
)
from losi.upstream.format import UpstreamCall
from tests.catalogue import PROVIDERS
from tests.loose import Json

#: Anthropic's id, Bedrock's, and how the model thinks.
#: https://platform.claude.com/docs/en/about-claude/models/overview
MODELS = [
    ("claude-2.1", "anthropic.claude-v2:1", Thinks.NEVER),
    ("claude-3-opus-20240229", "anthropic.claude-3-opus-20240229-v1:0", Thinks.NEVER),
    ("claude-3-5-sonnet-20241022", "anthropic.claude-3-5-sonnet-20241022-v2:0", Thinks.NEVER),
    ("claude-3-5-haiku-latest", "us.anthropic.claude-3-5-haiku-20241022-v1:0", Thinks.NEVER),
    (
        "claude-3-7-sonnet-20250219",
        "us.anthropic.claude-3-7-sonnet-20250219-v1:0",
        Thinks.BY_BUDGET,
    ),
    ("claude-sonnet-4-20250514", "us.anthropic.claude-sonnet-4-20250514-v1:0", Thinks.BY_BUDGET),
    ("claude-opus-4-0", "us.anthropic.claude-opus-4-20250514-v1:0", Thinks.BY_BUDGET),
    ("claude-opus-4-1", "us.anthropic.claude-opus-4-1-20250805-v1:0", Thinks.BY_BUDGET),
    ("claude-sonnet-4-5", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", Thinks.BY_BUDGET),
    ("claude-haiku-4-5-20251001", "anthropic.claude-haiku-4-5-20251001-v1:0", Thinks.BY_BUDGET),
    ("claude-opus-4-6", "anthropic.claude-opus-4-6-v1", Thinks.ADAPTIVELY),
    ("claude-sonnet-5", "anthropic.claude-sonnet-5", Thinks.ADAPTIVELY),
]
USER: Json = {"role": "user", "content": "Hi"}


def body(model: str, **parameters: Any) -> Json:
    return {"model": model, "messages": [USER], "max_tokens": 8_000, **parameters}


def at_anthropic(model: str, **parameters: Any) -> Json:
    route = Route(provider=PROVIDERS["anthropic"], model=model)
    return {**translate(body(model, **parameters), route).body}


def on_bedrock(model: str, **parameters: Any) -> Json:
    call = UpstreamCall(
        body(model, **parameters), Route(provider=PROVIDERS["bedrock"], model=model), "r1"
    )
    return {**converse_request(call)}


@pytest.mark.parametrize(("anthropic", "bedrock", "way"), MODELS)
def test_a_model_thinks_alike_wherever_it_runs(anthropic: str, bedrock: str, way: Thinks) -> None:
    assert thinks(anthropic) is thinks(bedrock) is way

    here = at_anthropic(anthropic, reasoning_effort="medium")
    there = on_bedrock(bedrock, reasoning_effort="medium").get("additionalModelRequestFields", {})
    for fields in (here, there):
        thinking = fields.get("thinking", {})
        assert (
            thinking.get("type")
            == {
                Thinks.NEVER: None,
                Thinks.BY_BUDGET: "enabled",
                Thinks.ADAPTIVELY: "adaptive",
            }[way]
        )
        assert thinking.get("budget_tokens") == (4_000 if way is Thinks.BY_BUDGET else None)
        assert fields.get("output_config") == (
            {"effort": "medium"} if way is Thinks.ADAPTIVELY else None
        )


def test_one_of_temperature_and_top_p_is_sent() -> None:
    sampling = {"temperature": 1.5, "top_p": 0.5}

    here = at_anthropic("claude-sonnet-4-5", **sampling)
    there = on_bedrock("anthropic.claude-sonnet-4-5-20250929-v1:0", **sampling)

    assert (here["temperature"], "top_p" in here) == (1, False)
    assert there["inferenceConfig"] == {"maxTokens": 8_000, "temperature": 1.0}


def called(**message: Any) -> Json:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    return {"role": "assistant", "content": None, "tool_calls": [call], **message}


THOUGHT = {"thinking_blocks": [{"type": "thinking", "thinking": "Hm", "signature": "s"}]}
ANSWER = {"role": "assistant", "content": "Hello"}
RESULT = {"role": "tool", "tool_call_id": "a", "content": "1"}


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([USER], True),
        ([USER, ANSWER, USER], True),
        ([USER, ANSWER], False),  # a prefill
        ([USER, {"role": "assistant", "content": ""}], True),  # an empty answer, sent back
        ([USER, called(), RESULT], False),
        ([USER, called(**THOUGHT), RESULT], True),
        ([USER, {**ANSWER, **THOUGHT}, called(), RESULT], True),  # one turn, its thinking first
        ([USER, called(), RESULT, ANSWER, USER], True),  # a loop that is over
    ],
)
def test_a_budget_is_given_where_the_answer_has_not_begun(
    messages: list[Json], expected: bool
) -> None:
    assert takes_budget(messages) is expected


BUDGET: Json = {"type": "enabled", "budget_tokens": 500}


class TestTheCallersOwnThinking:
    """https://platform.claude.com/docs/en/models/sonnet-5-5/whats-new-sonnet-5-5"""

    OLD, BOTH, NEW = "claude-sonnet-4-5", "claude-opus-4-6", "claude-sonnet-5"

    @pytest.mark.parametrize(
        ("model", "asked"),
        [
            (OLD, BUDGET),
            (OLD, {"type": "disabled"}),
            (BOTH, BUDGET),
            (NEW, {"type": "adaptive"}),
            (NEW, {"kind": "?"}),
        ],
    )
    def test_it_stands_where_the_model_takes_it(self, model: str, asked: Json) -> None:
        assert fitting_thinking(model, asked, 1_000) == {"thinking": asked}

    @pytest.mark.parametrize(
        ("budget", "effort"),
        [
            (100, "low"),
            (340, "low"),
            (360, "medium"),
            (640, "medium"),
            (660, "high"),
            (999, "high"),
            (None, "medium"),
        ],
    )
    def test_a_budget_is_the_nearest_effort_where_it_is_not_taken(
        self, budget: int | None, effort: str
    ) -> None:
        asked = {"type": "enabled", "budget_tokens": budget}
        assert fitting_thinking(self.NEW, asked, 1_000) == {
            "thinking": {"type": "adaptive", "display": "summarized"},
            "output_config": {"effort": effort},
        }

    @pytest.mark.parametrize(
        ("model", "fields"),
        [
            (NEW, {"thinking": {"type": "disabled"}}),
            ("claude-sonnet-5-5", {"thinking": {"type": "between_tools"}}),
            ("claude-opus-5-5", {"output_config": {"effort": "low"}}),
            ("claude-fable-1", {"output_config": {"effort": "low"}}),
        ],
    )
    def test_no_thinking_is_as_little_as_the_model_lets_itself_be_told(
        self, model: str, fields: Json
    ) -> None:
        assert fitting_thinking(model, {"type": "disabled"}, 1_000) == fields


@pytest.mark.parametrize(
    ("effort", "budget"),
    [
        ("minimal", 10_000),
        ("low", 20_000),
        ("medium", 50_000),
        ("high", 80_000),
        ("xhigh", 90_000),
        ("max", 95_000),
    ],
)
def test_an_effort_is_a_share_of_the_output_limit(effort: str, budget: int) -> None:
    def fields(limit: int) -> Json:
        return {**thinking_fields("claude-sonnet-4-5", effort, limit, [USER], forced_tool=False)}

    assert fields(100_000) == {"thinking": {"type": "enabled", "budget_tokens": budget}}
    assert fields(1_025) == {"thinking": {"type": "enabled", "budget_tokens": 1_024}}
    assert fields(1_024) == {}


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({}, {}),
        ({"temperature": 0}, {"temperature": 0}),
        ({"temperature": 1.5, "top_p": 0.5}, {"temperature": 1}),
        ({"top_p": 0.5}, {"top_p": 0.5}),
        ({"top_p": 0}, {"top_p": 0}),
        ({"top_p": 1}, {}),
        ({"temperature": None, "top_p": None}, {}),
    ],
)
def test_what_is_sampled(asked: Json, sent: Json) -> None:
    assert sampling(asked) == sent


def test_thoughts_stand_where_they_were_thought() -> None:
    """https://platform.claude.com/docs/en/build-with-claude/extended-thinking"""

    def thought(word: str, text: int = 0, calls: int = 0) -> Json:
        return placed({"type": "thinking", "thinking": word}, text=text, calls=calls)

    first, second, third = thought("a"), thought("b", 2), thought("c", 4, 1)
    assert first == {"type": "thinking", "thinking": "a"}
    assert second["after_text"] == 2 and "after_calls" not in second
    call, other = {"id": "1"}, {"id": "2"}
    message: Json = {
        "role": "assistant",
        "content": "abcdef",
        "thinking_blocks": [first, second, third],
        "tool_calls": [call, other],
    }

    parts = in_order(message)

    assert [part.get("thinking_blocks") for part in parts] == [[first], [second], [third]]
    assert [part.get("content") for part in parts] == ["ab", "cd", "ef"]
    assert [part.get("tool_calls") or [] for part in parts] == [[], [call], [other]]
    plain: Json = {**message, "thinking_blocks": [first]}
    assert in_order(plain) == [plain]
