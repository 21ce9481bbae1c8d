"""What Anthropic's answers and refusals mean in OpenAI's terms."""

import json
from typing import Any

import pytest

from losi.catalogue.models import Route
from losi.dialects.openai import envelope
from losi.errors import LosiError
from losi.upstream.anthropic import shapes
from losi.upstream.anthropic.request import translate
from losi.upstream.anthropic.response import completion, error, usage
from losi.upstream.anthropic.stream import StreamState
from losi.upstream.reading import ShapeError
from tests.catalogue import PROVIDERS
from tests.contract.anthropic_calls import fed
from tests.loose import Json, loose

ROUTE = Route(provider=PROVIDERS["anthropic"], model="claude-sonnet-4-5")


def message(*content: Json, stop_reason: str = "end_turn", **fields: Any) -> Json:
    return {
        "id": "msg_1",
        "model": "claude-sonnet-4-5",
        "content": list(content),
        "stop_reason": stop_reason,
        **fields,
    }


def answered(raw: Json) -> Json:
    return completion(shapes.message(raw), created=0)


def text(piece: str) -> Json:
    return {"type": "text", "text": piece}


def translated(status: int, text: str, **body: Any) -> LosiError:
    """What the caller is told of a refusal of this request."""
    request = {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "Hi"}]}
    refusal = {"error": {"type": "invalid_request_error", "message": text}}
    return error(status, refusal, {}, "Anthropic", translate(loose({**request, **body}), ROUTE))


class TestFinishReasons:
    @pytest.mark.parametrize(
        ("stop_reason", "expected"),
        [
            ("end_turn", "stop"),
            ("stop_sequence", "stop"),
            ("max_tokens", "length"),
            ("model_context_window_exceeded", "length"),
            ("tool_use", "tool_calls"),
            ("refusal", "content_filter"),
            ("pause_turn", "length"),  # not whole, and so not a stop
            ("of_the_future", "stop"),
        ],
    )
    def test_each(self, stop_reason: str, expected: str) -> None:
        answer = answered(message(stop_reason=stop_reason))
        assert answer["choices"][0]["finish_reason"] == expected

    def test_a_refusal_says_why(self) -> None:
        details = {"type": "refusal", "explanation": "Not this."}

        answer = completion(
            shapes.message(message(stop_reason="refusal", stop_details=details)), created=0
        )

        assert answer["choices"][0]["message"]["refusal"] == "Not this."

    def test_an_answer_without_a_reason_is_not_whole(self) -> None:
        with pytest.raises(ShapeError):
            answered({**message(), "stop_reason": None})


class TestContent:
    def test_no_content_is_an_empty_text(self) -> None:
        assert answered(message())["choices"][0]["message"]["content"] == ""

    def test_a_block_may_start_with_its_content(self) -> None:
        state = StreamState(created=0)
        thought = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
        events: list[Json] = [
            {"type": "message_start", "message": message()},
            {"type": "content_block_start", "index": 0, "content_block": thought},
            {"type": "content_block_stop", "index": 0},
            {"type": "content_block_start", "index": 1, "content_block": text("Hi")},
            {"type": "content_block_stop", "index": 1},
        ]

        chunks = [chunk for event in events for chunk in fed(state, event)]

        deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
        assert deltas[0]["reasoning_content"] == "Hm."
        assert deltas[1] == {"content": "Hi"}

    @pytest.mark.parametrize("details", [None, {}, "no", {"explanation": ""}, {"explanation": 5}])
    def test_a_refusal_without_words_is_one_all_the_same(self, details: Any) -> None:
        answer = answered(message(stop_reason="refusal", stop_details=details))

        [choice] = answer["choices"]
        assert (choice["finish_reason"], choice["message"]["refusal"]) == ("content_filter", None)

    def test_a_refusal_in_a_stream_says_why(self) -> None:
        state = StreamState(created=0)
        details = {"type": "refusal", "explanation": "Not this."}
        stop = {"stop_reason": "refusal", "stop_details": details}
        fed(state, {"type": "message_start", "message": message()})
        fed(state, {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 0}})

        choice = fed(state, {"type": "message_stop"})[0]["choices"][0]

        assert choice["delta"]["refusal"] == "Not this."
        assert choice["finish_reason"] == "content_filter"


class TestUsage:
    def test_the_three_parts_of_the_input_are_one_prompt(self) -> None:
        counted = usage(
            {
                "input_tokens": 3,
                "cache_creation_input_tokens": 20,
                "cache_read_input_tokens": 100,
                "output_tokens": 7,
                "output_tokens_details": {"thinking_tokens": 5},
            }
        )
        assert counted == {
            "prompt_tokens": 123,
            "completion_tokens": 7,
            "total_tokens": 130,
            "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 20},
            "completion_tokens_details": {"reasoning_tokens": 5},
        }

    def test_what_it_did_not_count_is_not_there(self) -> None:
        translated = {"input_tokens": 3, "cache_read_input_tokens": 0, "output_tokens": 7}
        assert usage(translated) == {
            "prompt_tokens": 3,
            "completion_tokens": 7,
            "total_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 0},
        }

    @pytest.mark.parametrize("nothing", [None, {}, [], "7"])
    def test_no_figures_are_not_zero(self, nothing: Any) -> None:
        """So that the caller of the provider estimates, rather than giving the answer away."""
        assert usage(nothing) is None
        assert "usage" not in answered(message(usage=nothing))

    def test_absurd_figures_are_held_to_what_is_possible(self) -> None:
        counted = usage({"input_tokens": -5, "output_tokens": 10**15})
        assert counted is not None
        assert (counted["prompt_tokens"], counted["completion_tokens"]) == (0, 10_000_000)


class TestRefusals:
    @pytest.mark.parametrize(
        ("path", "param"),
        [
            ("messages.0.content.1.image.source.base64.data", "messages[1].content[1].image_url"),
            ("messages.0.content.0.text", "messages[1].content[0]"),
            ("messages.0", "messages[1].content[0]"),
            ("messages.9.content.4", "messages"),
            ("tools.0.custom.input_schema", "tools[0].function.parameters"),
            ("tools.0.custom.name", "tools[0].function.name"),
            ("tools.0", "tools[0]"),
            ("max_tokens", "max_completion_tokens"),
            ("thinking.budget_tokens", "reasoning_effort"),
            ("output_config.effort", "reasoning_effort"),
            ("output_config.format.schema", "response_format"),
            ("stop_sequences", "stop"),
            ("temperature", "temperature"),
            ("system.0.text", "messages"),
            ("metadata.user_id", "user"),
            ("thinking", "reasoning_effort"),
            ("of_the_future.field", "of_the_future"),
        ],
    )
    def test_the_callers_parameter_is_named(self, path: str, param: str) -> None:
        """Anthropic counts turns and blocks; the caller counts messages and parts."""
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
        parts = [{"type": "text", "text": "What is this?"}, image]
        messages = [{"role": "system", "content": "s"}, {"role": "user", "content": parts}]

        refusal = translated(400, f"{path}: is wrong", messages=messages, max_completion_tokens=5)

        assert refusal.status == 400
        assert refusal.param == param
        assert refusal.message == f"{param}: is wrong"

    @pytest.mark.parametrize(
        "text",
        [
            "prompt is too long: 210000 tokens > 200000 maximum",
            "input length and `max_tokens` exceed context limit: 199000 + 4096 > 200000",
        ],
    )
    def test_a_prompt_that_is_too_long_has_openais_code(self, text: str) -> None:
        refusal = translated(400, text)
        assert (refusal.param, refusal.code) == ("messages", "context_length_exceeded")

    @pytest.mark.parametrize(
        ("type", "status"),
        [
            ("invalid_request_error", 400),
            ("authentication_error", 401),
            ("billing_error", 402),
            ("permission_error", 403),
            ("not_found_error", 404),
            ("request_too_large", 413),
            ("rate_limit_error", 429),
            ("timeout_error", 504),
            ("overloaded_error", 529),
            ("api_error", 500),
            (None, 500),
        ],
    )
    def test_an_error_within_a_stream_means_what_its_status_would(
        self, type: str | None, status: int
    ) -> None:
        """https://platform.claude.com/docs/en/api/errors"""
        request = translate({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}, ROUTE)
        body = {"error": {"type": type, "message": "It failed."}}

        within = error(200, body, {}, "Anthropic", request)

        before = error(status, body, {}, "Anthropic", request)
        assert within.__dict__ == before.__dict__

    def test_how_long_to_wait_is_passed_on(self) -> None:
        request = translate({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}, ROUTE)

        refusal = error(429, None, {"retry-after": "7"}, "Anthropic", request)

        assert refusal.headers["retry-after"] == "7"

    def test_words_without_a_path_are_passed_on(self) -> None:
        refusal = translated(400, "`temperature` may only be set to 1.")
        assert (refusal.param, refusal.message) == (None, "`temperature` may only be set to 1.")

    @pytest.mark.parametrize(
        "text",
        [
            "Your credit balance is too low to access the Anthropic API.",
            "You have reached your specified API usage limits.",
            "This organization has been disabled.",
        ],
    )
    def test_the_operators_account_is_not_the_callers_business(self, text: str) -> None:
        refusal = translated(400, text)
        assert (refusal.status, refusal.code) == (503, "upstream_account")
        assert text not in refusal.message

    @pytest.mark.parametrize("body", [None, {}, {"error": "no"}, {"error": {"message": 5}}])
    def test_a_refusal_that_says_nothing_is_still_one(self, body: Json | None) -> None:
        request = translate({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}, ROUTE)
        assert error(400, body, {}, "Anthropic", request).status == 400
        assert error(200, body, {}, "Anthropic", request).status == 502
        assert json.dumps(envelope(error(529, body, {}, "Anthropic", request)))
