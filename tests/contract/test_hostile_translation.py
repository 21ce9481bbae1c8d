"""Requests as large as a body may be, made to be dear: every format reads them once."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from losi.catalogue.models import Route
from losi.chat.needs import Needs
from losi.chat.request import parse_chat_request
from losi.errors import InvalidRequestError
from losi.metering.estimate import input_tokens
from losi.sandbox import directives
from losi.sandbox.answers import answer, last_user_text
from losi.upstream.anthropic.request import translate
from losi.upstream.bedrock.request import converse_request
from losi.upstream.format import UpstreamCall
from losi.web.parsing import MAX_VALUES
from tests.catalogue import PROVIDERS
from tests.loose import Json, loose

USER: Json = {"role": "user", "content": "Hi"}
PDF = "data:application/pdf;base64,QQ=="


def call(number: int) -> Json:
    return {"id": f"c{number}", "function": {"name": "f", "arguments": "{}"}}


def document(name: str) -> Json:
    return {"type": "file", "file": {"file_data": PDF, "filename": name}}


def parts(parts: list[Json]) -> list[Json]:
    return [{"role": "user", "content": parts}]


THOUGHTS = [{"type": "x"}] * (MAX_VALUES // 2)
#: Each about as many values as a body may hold.
MESSAGES: dict[str, list[Json]] = {
    "many messages": [USER] * (MAX_VALUES // 3),
    "in turns": [USER, {"role": "assistant", "content": "x"}] * (MAX_VALUES // 6) + [USER],
    "system messages": [{"role": "system", "content": "x"}] * (MAX_VALUES // 3) + [USER],
    "text parts": parts([{"type": "text", "text": "x"}] * (MAX_VALUES // 3)),
    "documents of one name": parts([document("")] * (MAX_VALUES // 5)),
    "documents of clashing names": parts(
        [document(f"a ({n})" if n % 2 else "a") for n in range(MAX_VALUES // 5)]
    ),
    "tool calls": [
        USER,
        {"role": "assistant", "tool_calls": [call(n) for n in range(MAX_VALUES // 8)]},
        *({"role": "tool", "tool_call_id": f"c{n}", "content": ""} for n in range(MAX_VALUES // 8)),
    ],
    "unanswered tool calls": [
        USER,
        {"role": "assistant", "tool_calls": [call(n) for n in range(MAX_VALUES // 6)]},
    ],
    "tool results without end": [USER]
    + [{"role": "function", "name": "f", "content": "x"}] * (MAX_VALUES // 4),
    "thinking": [
        USER,
        {"role": "assistant", "content": "x", "thinking_blocks": THOUGHTS},
        USER,
    ],
    "a text of six megabytes": [{"role": "user", "content": "x y [[" * 1_000_000}],
    "unclosed directives": [{"role": "user", "content": "[[sandbox:" * 600_000}],
}


def upstream(model: str, body: Json) -> UpstreamCall:
    return UpstreamCall(loose({**body, "model": model, "max_tokens": 10}), route(model), "r1")


def route(model: str) -> Route:
    return Route(provider=PROVIDERS["openai"], model=model, max_output_tokens=4000)


def to_bedrock(body: Json) -> None:
    converse_request(upstream("us.anthropic.claude-sonnet-4-5-20250929-v1:0", body))


def to_anthropic(body: Json) -> None:
    translate(loose({**body, "max_tokens": 10}), route("claude-sonnet-4-5"))


def to_the_sandbox(body: Json) -> None:
    answer(body, directives.read(last_user_text(body)))


def estimated(body: Json) -> None:
    request = parse_chat_request(body)
    Needs.of(request)
    input_tokens(request.body)


@pytest.mark.parametrize("made", [estimated, to_the_sandbox, to_anthropic, to_bedrock])
@pytest.mark.parametrize("messages", MESSAGES.values(), ids=MESSAGES.keys())
def test_a_large_request_is_read_once(made: Callable[[Json], None], messages: list[Json]) -> None:
    began = time.process_time()

    try:
        made({"model": "x", "messages": messages, "n": 128})
    except InvalidRequestError as refused:
        assert len(refused.message) < 600

    # at most 0.5 s were measured; what is quadratic takes minutes
    assert time.process_time() - began < 6
