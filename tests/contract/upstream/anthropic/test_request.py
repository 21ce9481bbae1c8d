"""How the parameters of a chat completion are said to Anthropic."""

import re
from typing import Any

import pytest

from losi.catalogue.models import Route
from losi.errors import InvalidRequestError
from losi.upstream.anthropic.request import AnthropicRequest, translate
from tests.catalogue import PROVIDERS
from tests.contract.anthropic_types import check_request
from tests.loose import Json, loose

ROUTE = Route(provider=PROVIDERS["anthropic"], model="claude-sonnet-5", max_output_tokens=8_000)
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
FORCED = {"type": "function", "function": {"name": "f"}}


def allowing(name: str) -> Json:
    tools = [{"type": "function", "function": {"name": name}}]
    return {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": tools}}


def translated(model: str = "claude-sonnet-5", **body: Any) -> AnthropicRequest:
    request = translate(loose({"model": model, "messages": [user("Hi")], **body}), ROUTE)
    check_request(request.body)
    return request


def sent_unchecked(**body: Any) -> Json:
    """With what Anthropic is to refuse, in its own words."""
    model = "claude-sonnet-5"
    return {**translate(loose({"model": model, "messages": [user("Hi")], **body}), ROUTE).body}


def sent(model: str = "claude-sonnet-5", **body: Any) -> Json:
    return {**translated(model, **body).body}


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def refused_param(**body: Any) -> str | None:
    with pytest.raises(InvalidRequestError) as caught:
        sent(**body)
    return caught.value.param


class TestLimits:
    def test_anthropic_must_be_told_a_limit(self) -> None:
        assert sent()["max_tokens"] == 8_000
        assert sent(max_tokens=5)["max_tokens"] == 5
        assert sent(max_tokens=5, max_completion_tokens=6)["max_tokens"] == 6

    def test_stop_sequences(self) -> None:
        assert sent(stop="END")["stop_sequences"] == ["END"]
        assert sent(stop=["a", "b"])["stop_sequences"] == ["a", "b"]


class TestSampling:
    def test_temperature_ends_at_one(self) -> None:
        assert sent(temperature=0)["temperature"] == 0
        assert sent(temperature=1.8)["temperature"] == 1

    def test_temperature_and_top_p_exclude_each_other(self) -> None:
        request = translated(temperature=0.2, top_p=0.9)
        assert "top_p" not in request.body
        assert request.left_out == {"top_p"}

    def test_a_top_p_alone_is_sent(self) -> None:
        request = translated(top_p=0.9)
        assert (request.body["top_p"], request.left_out) == (0.9, frozenset())

    def test_a_top_p_of_one_says_nothing(self) -> None:
        request = translated(top_p=1)
        assert "top_p" not in request.body
        assert request.left_out == set()

    def test_anthropics_own_parameters_pass(self) -> None:
        assert sent(top_k=5)["top_k"] == 5


class TestTools:
    def test_a_schema_that_claude_keeps_to_is_sent_whole(self) -> None:
        parameters = {
            "type": "object",
            "$defs": {"a": {"enum": [1]}},
            "properties": {"x": {"$ref": "#/$defs/a"}},
            "additionalProperties": False,
        }
        function = {"name": "f", "description": "d", "parameters": parameters, "strict": True}

        tools = sent(tools=[{"type": "function", "function": function}])["tools"]

        assert tools == [
            {"name": "f", "description": "d", "input_schema": parameters, "strict": True}
        ]

    def test_no_parameters_are_an_empty_object(self) -> None:
        tools = sent(tools=[{"type": "function", "function": {"name": "f"}}])["tools"]
        assert tools == [{"name": "f", "input_schema": {"type": "object"}}]

    @pytest.mark.parametrize(
        ("choice", "expected"),
        [
            ("auto", {"type": "auto"}),
            ("required", {"type": "any"}),
            ("none", {"type": "none"}),
            (FORCED, {"type": "tool", "name": "f"}),
        ],
    )
    def test_tool_choice(self, choice: Any, expected: Json) -> None:
        assert sent(tools=[TOOL], tool_choice=choice)["tool_choice"] == expected

    @pytest.mark.parametrize(
        ("choice", "kind"), [(None, "auto"), ("auto", "auto"), ("required", "any")]
    )
    def test_no_parallel_calls_never_forces_one(self, choice: Any, kind: str) -> None:
        body = sent(tools=[TOOL], tool_choice=choice, parallel_tool_calls=False)
        assert body["tool_choice"] == {"type": kind, "disable_parallel_tool_use": True}

    def test_parallel_calls_are_anthropics_default(self) -> None:
        assert "tool_choice" not in sent(tools=[TOOL], parallel_tool_calls=True)
        body = sent(tools=[TOOL], tool_choice="none", parallel_tool_calls=False)
        assert body["tool_choice"] == {"type": "none"}

    def test_allowed_tools_are_a_shorter_list(self) -> None:
        other = {"type": "function", "function": {"name": "g"}}

        body = sent(tools=[TOOL, other], tool_choice=allowing("g"))

        assert [tool["name"] for tool in body["tools"]] == ["g"]
        assert body["tool_choice"] == {"type": "any"}

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools[0].type"),
            ({"tools": [TOOL], "tool_choice": {"type": "custom"}}, "tool_choice"),
            (
                {"tools": [TOOL], "tool_choice": allowing("g")},
                "tool_choice.allowed_tools.tools",
            ),
            ({"thinking": 5}, "thinking"),
            (
                {"tools": [TOOL], "tool_choice": {"type": "allowed_tools"}},
                "tool_choice.allowed_tools",
            ),
        ],
    )
    def test_what_cannot_be_said_is_named(self, body: Json, param: str) -> None:
        assert refused_param(**body) == param

    def test_tools_of_the_past_are_declared_but_not_to_be_called(self) -> None:
        """Given calls in the history and no tools now, Anthropic would refuse the history."""
        call = {"id": "a", "type": "function", "function": {"name": "g", "arguments": ""}}
        history = [
            user("Hi"),
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "a", "content": "1"},
        ]
        body = sent(messages=history)
        assert body["tools"] == [{"name": "g", "input_schema": {"type": "object"}}]
        assert body["tool_choice"] == {"type": "none"}


class TestResponseFormat:
    def test_a_schema_is_anthropics_structured_output(self) -> None:
        schema = {"type": "object", "properties": {}, "additionalProperties": False}
        response_format = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}

        body = sent(response_format=response_format, reasoning_effort="low")

        assert body["output_config"] == {
            "format": {"type": "json_schema", "schema": schema},
            "effort": "low",
        }

    def test_any_object_is_asked_for_in_words_in_the_users_turn(self) -> None:
        messages = [{"role": "system", "content": "Be brief."}, user("Hi")]
        body = sent(messages=messages, response_format={"type": "json_object"})
        assert "output_config" not in body
        assert [block["text"] for block in body["system"]] == ["Be brief."]
        assert [b["text"][:9] for b in body["messages"][-1]["content"]] == ["Hi", "Answer wi"]

    def test_text_is_the_default(self) -> None:
        assert sent(response_format={"type": "text"}).keys() == sent().keys()


class TestReasoning:
    def test_newer_models_think_adaptively(self) -> None:
        body = sent(reasoning_effort="high")
        assert body["thinking"] == {"type": "adaptive", "display": "summarized"}
        assert body["output_config"] == {"effort": "high"}
        assert sent(reasoning_effort="minimal")["output_config"] == {"effort": "low"}

    def test_none_is_said_aloud_where_models_think_by_default(self) -> None:
        assert sent(reasoning_effort="none")["thinking"] == {"type": "disabled"}

    @pytest.mark.parametrize(
        "model",
        [
            "claude-3-7-sonnet-20250219",
            "claude-sonnet-4-20250514",
            "claude-opus-4-1",
            "claude-sonnet-4-5",
            "claude-haiku-4-5-20251001",
        ],
    )
    def test_older_models_think_by_budget(self, model: str) -> None:
        body = sent(model, reasoning_effort="medium")
        assert body["thinking"] == {"type": "enabled", "budget_tokens": 4_000}
        assert "output_config" not in body
        assert "thinking" not in sent(model, reasoning_effort="none")

    @pytest.mark.parametrize("model", ["claude-sonnet-4-6", "claude-opus-4-8", "claude-opus-5-5"])
    def test_later_models_do_not(self, model: str) -> None:
        assert sent(model, reasoning_effort="medium")["thinking"]["type"] == "adaptive"

    @pytest.mark.parametrize("effort", ["minimal", "low", "medium", "high", "xhigh", "max"])
    @pytest.mark.parametrize("limit", [1, 1_024, 1_025, 4_000, 64_000])
    def test_a_budget_is_in_anthropics_range(self, effort: str, limit: int) -> None:
        body = sent("claude-sonnet-4-5", reasoning_effort=effort, max_tokens=limit)
        if limit <= 1_024:
            assert "thinking" not in body
        else:
            assert 1_024 <= body["thinking"]["budget_tokens"] < limit

    def test_an_unknown_effort_is_named(self) -> None:
        assert refused_param(model="claude-sonnet-4-5", reasoning_effort="x") == "reasoning_effort"

    @pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-sonnet-5"])
    def test_thinking_excludes_sampling(self, model: str) -> None:
        request = translated(model, reasoning_effort="high", temperature=0.7)
        assert "temperature" not in request.body
        assert request.left_out == {"temperature"}

    @pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-sonnet-5"])
    @pytest.mark.parametrize("choice", ["required", FORCED])
    def test_a_forced_tool_excludes_thinking(self, model: str, choice: Any) -> None:
        request = translated(model, reasoning_effort="high", tools=[TOOL], tool_choice=choice)
        assert request.body.get("thinking") in (None, {"type": "disabled"})
        assert request.left_out == {"reasoning_effort"}

    def test_a_tool_loop_without_its_thinking_goes_on_without(self) -> None:
        """Clients that do not know thinking_blocks must not be refused on their second call."""
        call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
        signed = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
        answered = {"role": "tool", "tool_call_id": "a", "content": "1"}

        def loop(**message: Any) -> Json:
            messages = [
                user("Hi"),
                {"role": "assistant", "tool_calls": [call], **message},
                answered,
            ]
            return sent(
                "claude-sonnet-4-5", reasoning_effort="low", messages=messages, tools=[TOOL]
            )

        assert "thinking" not in loop()
        assert "thinking" in loop(thinking_blocks=[signed])

    def test_a_prefill_excludes_a_budget(self) -> None:
        messages = [user("A colour?"), {"role": "assistant", "content": "Gr"}]
        assert "thinking" not in sent(
            "claude-sonnet-4-5", reasoning_effort="low", messages=messages
        )

    def test_the_callers_own_thinking_parameter_stands(self) -> None:
        assert sent(thinking={"type": "adaptive"})["thinking"] == {"type": "adaptive"}
        assert sent_unchecked(thinking={"kind": "?"})["thinking"] == {"kind": "?"}

    def test_thinking_between_tools_has_the_effort_that_it_needs(self) -> None:
        body = sent("claude-sonnet-5-5", reasoning_effort="low", thinking={"type": "disabled"})
        assert body["thinking"] == {"type": "between_tools"}
        assert body["output_config"] == {"effort": "high"}


class TestAccount:
    @pytest.mark.parametrize("user", ["u", "x" * 256, "me at example.com", "1234567", "€"])
    def test_an_end_users_id_is_passed_on(self, user: str) -> None:
        assert sent(user=user)["metadata"] == {"user_id": user}

    @pytest.mark.parametrize(
        "user", ["x" * 257, "me@example.com", "+44 20 7946 0958", "12345678", "\ud83d" * 257]
    )
    def test_one_that_may_name_a_person_or_is_too_long_has_a_stand_in(self, user: str) -> None:
        stand_in = sent(user=user)["metadata"]["user_id"]

        assert re.fullmatch("user_[0-9a-f]{32}", stand_in)
        assert sent(user=user)["metadata"]["user_id"] == stand_in
        assert sent(user=f"{user}x@x")["metadata"]["user_id"] != stand_in

    def test_what_anthropic_has_no_place_for_is_told(self) -> None:
        request = translated(min_p=0.1, metadata={"order": "7"}, n=2, top_k=3, seed=None)

        assert request.left_out == {"min_p", "metadata", "n"}  # n is for fanout.prepare

    def test_only_what_can_stand_in_a_header_is_told(self) -> None:
        odd: Json = {"x\r\nset-cookie: a": 1, "naïve": 1, "a" * 65: 1}
        many: Json = {f"p{number:03}": 1 for number in range(500)}

        assert translated(**odd).left_out == set()
        assert len(translated(**many).left_out) == 32

    def test_who_the_user_is(self) -> None:
        assert sent(user="u")["metadata"] == {"user_id": "u"}
        assert sent(user="u", safety_identifier="s")["metadata"] == {"user_id": "s"}
        assert sent(metadata={"user_id": "m", "x": "y"})["metadata"] == {"user_id": "m"}
        assert "metadata" not in sent(metadata={"x": "y"})

    @pytest.mark.parametrize(
        ("tier", "expected"), [("auto", "auto"), ("default", "standard_only"), ("flex", None)]
    )
    def test_service_tier(self, tier: str, expected: str | None) -> None:
        request = translated(service_tier=tier)
        assert request.body.get("service_tier") == expected
        assert request.left_out == (set() if expected else {"service_tier"})


def test_thinking_that_is_sent_as_it_was_given_is_not_called_mapped() -> None:
    budget = {"type": "enabled", "budget_tokens": 2_000}

    as_given = translated("claude-sonnet-4-5", thinking=budget, max_tokens=4_000)
    other = translated("claude-sonnet-5", thinking=budget, max_tokens=4_000)

    assert (as_given.body["thinking"], as_given.mapped) == (budget, frozenset())
    assert other.body["thinking"] != budget and other.mapped == {"thinking"}
