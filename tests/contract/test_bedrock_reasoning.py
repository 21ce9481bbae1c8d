"""Thinking on Bedrock: the effort in each family's words, and thoughts that come back signed."""

import pytest

from losi.errors import InvalidRequestError
from tests.contract.bedrock_requests import CLAUDE, USER, WEATHER, Json, called, result, translated

ADAPTIVE = "us.anthropic.claude-opus-4-6-v1"


class TestReasoning:
    @pytest.mark.parametrize(
        ("model", "effort", "fields"),
        [
            (CLAUDE, "high", {"thinking": {"type": "enabled", "budget_tokens": 3200}}),
            (CLAUDE, "minimal", {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
            (
                ADAPTIVE,
                "minimal",
                {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
            ),
            ("openai.gpt-oss-120b-1:0", "high", {"reasoning_effort": "high"}),
            (
                "us.amazon.nova-2-lite-v1:0",
                "xhigh",
                {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}},
            ),
            (
                "us.amazon.nova-2-lite-v1:0",
                "minimal",
                {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}},
            ),
            (CLAUDE, "none", None),
            (CLAUDE, None, None),
        ],
    )
    def test_effort_in_each_familys_words(
        self, model: str, effort: str | None, fields: Json | None
    ) -> None:
        request = translated(model, reasoning_effort=effort)
        assert request.get("additionalModelRequestFields") == fields

    @pytest.mark.parametrize(
        ("model", "budgeted"),
        [
            ("anthropic.claude-3-7-sonnet-20250219-v1:0", True),
            ("anthropic.claude-opus-4-20250514-v1:0", True),
            ("anthropic.claude-opus-4-1-20250805-v1:0", True),
            ("global.anthropic.claude-haiku-4-5-20251001-v1:0", True),
            ("anthropic.claude-sonnet-4-6", False),
            ("anthropic.claude-opus-4-7", False),
            ("anthropic.claude-opus-5", False),
        ],
    )
    def test_which_claude_thinks_within_a_budget(self, model: str, budgeted: bool) -> None:
        fields = translated(model, reasoning_effort="low")["additionalModelRequestFields"]
        assert (fields["thinking"]["type"] == "enabled") is budgeted

    def test_sampling_is_left_out_while_thinking(self) -> None:
        request = translated(reasoning_effort="low", temperature=0.2, top_p=0.3)
        assert request["inferenceConfig"] == {"maxTokens": 4000}

    @pytest.mark.parametrize(
        "body",
        [
            {"max_tokens": 1024},
            {"tools": [WEATHER], "tool_choice": "required"},
            {"messages": [USER, {"role": "assistant", "content": "Sure:"}]},
            {"messages": [USER, called(), result()], "tools": [WEATHER]},
        ],
        ids=["no room", "forced tool", "prefill", "calls without their thinking"],
    )
    def test_claude_does_not_think_where_it_would_refuse_to(self, body: Json) -> None:
        assert "additionalModelRequestFields" not in translated(reasoning_effort="high", **body)

    def test_signed_thinking_goes_back_only_while_thinking(self) -> None:
        signed = {"type": "thinking", "thinking": "Hm", "signature": "c2ln"}
        messages = [USER, called(thinking_blocks=[signed]), result()]
        block = {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "c2ln"}}}

        thinking = translated(messages=messages, tools=[WEATHER], reasoning_effort="low")
        assert thinking["messages"][1]["content"][0] == block
        without = translated(messages=messages, tools=[WEATHER])
        assert block not in without["messages"][1]["content"]

    def test_thinking_that_was_changed_is_refused(self) -> None:
        message = called(thinking_blocks=[{"type": "thinking", "thinking": "Hm"}])
        with pytest.raises(InvalidRequestError) as refused:
            translated(messages=[USER, message, result()], reasoning_effort="low")
        assert refused.value.param == "messages[1].thinking_blocks[0]"


@pytest.mark.parametrize("data", ["%", "YQ", "Y Q=="])
def test_redacted_thinking_that_is_no_base64_is_the_callers_mistake(data: str) -> None:
    block = {"type": "redacted_thinking", "data": data}
    messages = [USER, called(thinking_blocks=[block]), result()]

    with pytest.raises(InvalidRequestError) as refused:
        translated(messages=messages, tools=[WEATHER], reasoning_effort="low")

    assert refused.value.param == "messages[1].thinking_blocks[0].data"
