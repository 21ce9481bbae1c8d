"""Bodies: one limit everywhere, counted before they are parsed, refused without an echo."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from local.table import load_template
from losi.chat.request import parse_chat_request
from losi.errors import MOST_ECHOED, InvalidRequestError, LosiError, RequestTooLargeError
from losi.validation import param_name, validated
from losi.web import parsing
from losi.web.api_keys import CreateKey
from losi.web.parsing import MAX_VALUES, TOO_LARGE, loads, read_json
from tests.contract.cassettes import Cassette, load


def _never(_: object) -> None:
    raise AssertionError


MOST = 6_225_920  # the 6 MiB of an event, less 64 KiB for what is around a body


def request_of(*chunks: bytes, declared: str | None = None) -> Request:
    messages: Iterator[Message] = iter(
        [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
        + [{"type": "http.request", "body": b"", "more_body": False}]
    )

    async def receive() -> Message:
        return next(messages)

    headers = [] if declared is None else [(b"content-length", declared.encode())]
    return Request({"type": "http", "headers": headers}, receive)


def text_of(size: int) -> bytes:
    """A JSON object of that many bytes, with six quotes."""
    return b'{"a":"' + b"x" * (size - 8) + b'"}'


class TestSize:
    async def test_what_lambda_takes_is_taken(self) -> None:
        assert await read_json(request_of(text_of(MOST - 4)))

    async def test_a_byte_more_is_refused(self) -> None:
        with pytest.raises(RequestTooLargeError):
            await read_json(request_of(text_of(MOST - 3)))

    async def test_pieces_count_together(self) -> None:
        piece = b" " * (MOST // 4)

        with pytest.raises(RequestTooLargeError):
            await read_json(request_of(*4 * [piece], text_of(20)))

    @pytest.mark.parametrize("declared", [str(MOST + 1), "9" * 10_000])
    async def test_what_says_that_it_is_larger_is_not_read(self, declared: str) -> None:
        with pytest.raises(RequestTooLargeError):
            await read_json(request_of(b"{}", declared=declared))

    @pytest.mark.parametrize("declared", [str(MOST), "-1", "a lot", "²"])
    async def test_what_says_that_it_fits_or_says_nonsense_is_read(self, declared: str) -> None:
        assert await read_json(request_of(b"{}", declared=declared)) == {}

    @given(st.text(st.characters(codec="utf-8")))
    def test_escapes_count_as_in_the_event(self, text: str) -> None:
        in_event = json.dumps(text, ensure_ascii=False).encode()[1:-1]

        assert parsing._size_in_event(text.encode()) == len(in_event)

    def test_api_gateway_says_the_same(self) -> None:
        responses = load_template()["Resources"]["LosiApi"]["Properties"]["GatewayResponses"]
        own = responses["REQUEST_TOO_LARGE"]["ResponseTemplates"]["application/json"]

        assert json.loads(own)["error"]["message"] == TOO_LARGE


def chat(**parameters: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], **parameters}


def user(content: Any) -> dict[str, Any]:
    return chat(messages=[{"role": "user", "content": content}])


def calls(*calls: Any) -> dict[str, Any]:
    return chat(
        messages=[
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "tool_calls": list(calls)},
        ]
    )


MANY = 45_000
BAD = {
    "messages": chat(messages=[0] * MANY),
    "empty messages": chat(messages=[{}] * (MANY // 2)),
    "content": user([0] * MANY),
    "tool_calls": calls(*[0] * MANY),
    "tools": chat(tools=[0] * MANY),
    "thinking_blocks": chat(messages=[{"role": "assistant", "thinking_blocks": [0] * MANY}]),
    "logit_bias": chat(logit_bias={str(number): [] for number in range(MANY // 2)}),
    "metadata": chat(metadata={str(number): 0 for number in range(MANY)}),
    "stop": chat(stop=[0] * MANY),
}


class TestWhatIsWrong:
    @pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
    def test_the_first_mistake_is_told_at_the_price_of_one(self, body: dict[str, Any]) -> None:
        loads(orjson.dumps(body))  # not too many values to be parsed
        tracemalloc.start()

        with pytest.raises(LosiError) as caught:
            parse_chat_request(body)

        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert caught.value.status == 400
        assert caught.value.param
        assert peak < 2_000_000

    @pytest.mark.parametrize("opened", ["[", '{"a":'])
    def test_nesting_has_an_end(self, opened: str) -> None:
        def nested(levels: int) -> bytes:
            closed = {"[": "]", '{"a":': "}"}[opened]
            return (opened * levels + "0" + closed * levels).encode()

        assert loads(nested(parsing.MAX_DEPTH))
        with pytest.raises(InvalidRequestError, match="nested more than 128 levels") as refused:
            loads(nested(parsing.MAX_DEPTH + 1))
        assert refused.value.code == "invalid_json"

    @pytest.mark.parametrize("flat", ["[]", '"["', '"\\\\"', '"\\"{"', '{"]":"["}'])
    def test_many_shallow_values_are_not_walked(
        self, flat: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Fails when their brackets are only counted, as those of 500 tools are many."""
        monkeypatch.setattr(parsing, "_check_depth", _never)

        assert loads(f"[{','.join([flat] * 500)}]".encode())

    @given(deep=st.integers(100, 160), odd=st.lists(st.text('"\\[]{}u0', max_size=9), min_size=1))
    def test_no_string_hides_how_deep_a_value_is(self, deep: int, odd: list[str]) -> None:
        value: Any = 0
        for level in range(deep):
            text = odd[level % len(odd)]
            value = {text: value, f"{text}2": text} if level % 3 else [text, value, text]
        many = [value, *[[]] * parsing.MAX_DEPTH]

        for body in (orjson.dumps(many), json.dumps(many, indent=1).encode()):
            if deep < parsing.MAX_DEPTH:
                assert loads(body) == many
            else:
                with pytest.raises(InvalidRequestError, match="nested more than 128 levels"):
                    loads(body)

    def test_permissions_too(self) -> None:
        with pytest.raises(LosiError) as caught:
            validated(CreateKey, {"name": "x", "permissions": [0] * MANY})

        assert caught.value.param == "permissions[0]"

    @pytest.mark.parametrize("unit", [b"0", b'{"":{}}', b"[]", b'""'])
    def test_too_many_values_are_refused_before_they_are_parsed(
        self, unit: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(orjson, "loads", None)

        with pytest.raises(LosiError, match="more than 50,000 values"):
            loads(b'{"messages":[' + b",".join([unit] * MAX_VALUES) + b"]}")

    def test_values_inside_of_arguments_count_together(self) -> None:
        call = {"id": "a", "function": {"name": "f", "arguments": "[" + "0," * 30_000 + "0]"}}

        parse_chat_request(calls(call))
        with pytest.raises(LosiError, match="arguments of the tool calls"):
            parse_chat_request(calls(call, call))

    @given(st.lists(st.text(max_size=5_000) | st.integers(0, 9)))
    def test_no_name_is_repeated_at_length(self, location: list[str | int]) -> None:
        assert len(param_name(tuple(location)) or "") <= MOST_ECHOED

    @pytest.mark.parametrize(
        "body",
        [
            chat(metadata={"n" * 3_000_000: 0}),
            chat(logit_bias={"n" * 3_000_000: "x"}),
            chat(tool_choice={"type": "n" * 3_000_000}),
            chat(model="n" * 3_000_000),
            chat(response_format={"type": "n" * 3_000_000}),
            chat(reasoning_effort=["n" * 3_000_000]),
            chat(messages=[{"role": "n" * 3_000_000, "content": "Hi"}]),
        ],
    )
    def test_no_value_is_repeated_at_length(self, body: dict[str, Any]) -> None:
        with pytest.raises(LosiError) as caught:
            parse_chat_request(body)

        assert len(caught.value.message) < 500
        assert "n" * (MOST_ECHOED + 1) not in caught.value.message


OPENAI = [c for c in load("openai", "*-*.json") if c.request and c.status == 200]
RECORDED = OPENAI + load("anthropic", "*-*.json") + load("dialects", "*-*.json")


@pytest.mark.parametrize("cassette", RECORDED, ids=lambda cassette: cassette.name)
@pytest.mark.parametrize("factor", [1, 20])
def test_recorded_requests_pass_also_twenty_times_as_long(cassette: Cassette, factor: int) -> None:
    body = dict(cassette.request or {})
    for name in {"messages", "tools"} & body.keys():
        body[name] *= factor
    text = orjson.dumps(body)

    assert parsing._size_in_event(text) <= MOST
    assert loads(text) == body
    if cassette in OPENAI:
        assert parse_chat_request(body)
