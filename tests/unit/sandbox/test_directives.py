"""Directives in the last user message make the sandbox do what a caller's test needs."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losi.errors import InvalidRequestError, LosiError, Remedy, UpstreamError
from losi.sandbox.directives import DIRECTIVES, Directives, read
from losi.sandbox.errors import ERRORS
from losi.sandbox.format import Sandbox
from tests.fake_format import chunks_of
from tests.loose import Json
from tests.unit.sandbox.sandbox_calls import call, completed, instantly, request, streamed


async def test_say_is_answered_to_the_letter() -> None:
    answer = await completed(request("[[sandbox:say=  Any text,\nof any kind = fine  ]] please"))

    assert answer["choices"][0]["message"]["content"] == "  Any text,\nof any kind = fine  "


async def test_directives_stand_in_the_last_user_message_alone() -> None:
    body = request("[[sandbox:say=old]]")
    body["messages"] += [
        {"role": "assistant", "content": "[[sandbox:refusal]]"},
        {"role": "user", "content": [{"type": "text", "text": "new [[sandbox:tokens=30]]"}]},
    ]

    answer = await completed(body)

    assert 'You said: "new".' in answer["choices"][0]["message"]["content"]
    assert answer["usage"]["completion_tokens"] == 30


async def test_long_answers_have_exactly_the_tokens_asked_for() -> None:
    answer = await completed(request("[[sandbox:tokens=5000]]"))

    assert len(answer["choices"][0]["message"]["content"]) == 20_000
    assert answer["usage"]["completion_tokens"] == 5000
    assert answer["choices"][0]["finish_reason"] == "stop"


async def test_a_long_answer_counts_its_sentences() -> None:
    text = (await completed(request("[[sandbox:tokens=60]]")))["choices"][0]["message"]["content"]

    assert text.startswith(
        "This is the Losi sandbox, no real model was asked. "
        "This is sentence 1 of a long answer from the sandbox. "
        "This is sentence 2 of a long answer from the sandbox. "
    )
    assert len(text) == 240


async def test_an_empty_answer() -> None:
    answer = await completed(request("[[sandbox:empty]]"))

    assert answer["choices"][0]["message"]["content"] == ""
    assert answer["usage"]["completion_tokens"] == 0


async def test_a_refusal() -> None:
    message = (await completed(request("[[sandbox:refusal]]")))["choices"][0]["message"]

    assert message["content"] is None
    assert "asked to refuse" in message["refusal"]


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
async def test_a_finish_reason(reason: str) -> None:
    body = request(f"[[sandbox:finish={reason}]]")

    assert (await completed(body))["choices"][0]["finish_reason"] == reason
    assert (await streamed(body))[-2]["choices"][0]["finish_reason"] == reason


async def test_an_upstream_that_tells_no_usage() -> None:
    body = request("[[sandbox:no_usage]]")

    assert "usage" not in await completed(body)
    chunks = await streamed(body)
    assert all("usage" not in chunk and chunk["choices"] for chunk in chunks)


async def test_an_upstream_whose_usage_is_absurd() -> None:
    body = request("[[sandbox:usage=999999999999:-5]]")

    usage = (await completed(body))["usage"]

    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (999_999_999_999, -5)


class Clock:
    """Records what would have been slept."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


DELAYS = "[[sandbox:first_chunk_delay=2s]][[sandbox:delay=200ms]][[sandbox:say=a b]]"


async def test_delays_before_the_first_chunk_and_before_every_chunk() -> None:
    clock = Clock()

    exchange = Sandbox(clock.sleep).prepare(call(request(DELAYS)))
    chunks = [chunk async for chunk in chunks_of(exchange.stream())]

    assert clock.slept == [2.0, *[0.2] * 4]
    assert len(chunks) == 5


async def test_delays_of_an_answer_that_is_not_streamed_are_waited_once() -> None:
    clock = Clock()

    await Sandbox(clock.sleep).prepare(call(request(DELAYS))).complete()

    assert clock.slept == [2.2]


DOCUMENTED = {
    "400": (400, "invalid_request_error", "invalid_value"),
    "401": (401, "authentication_error", "invalid_api_key"),
    "403": (403, "permission_error", "missing_permission"),
    "404": (404, "invalid_request_error", "model_not_found"),
    "408": (504, "server_error", "upstream_timeout"),
    "409": (503, "server_error", "upstream_overloaded"),
    "413": (413, "invalid_request_error", "request_too_large"),
    "429": (429, "rate_limit_error", "rate_limit_exceeded"),
    "500": (500, "server_error", "internal_error"),
    "502": (502, "server_error", "upstream_error"),
    "503": (503, "server_error", "upstream_overloaded"),
    "504": (504, "server_error", "upstream_timeout"),
    "529": (503, "server_error", "upstream_overloaded"),
    "key_expired": (401, "authentication_error", "key_expired"),
    "key_disabled": (401, "authentication_error", "key_disabled"),
    "model_not_in_plan": (403, "insufficient_quota", "model_not_in_plan"),
    "quota": (429, "insufficient_quota", "quota_exceeded"),
    "rate_limit": (429, "rate_limit_error", "rate_limit_exceeded"),
    "overloaded": (503, "server_error", "upstream_overloaded"),
    "timeout": (504, "server_error", "upstream_timeout"),
    "store_unavailable": (503, "server_error", "store_unavailable"),
}


PARAMS = {"400": "messages", "404": "model", "model_not_in_plan": "model"}


def test_the_errors_are_those_documented_here() -> None:
    assert set(ERRORS) == set(DOCUMENTED)


@pytest.mark.parametrize("name", DOCUMENTED)
@pytest.mark.parametrize("ask", [completed, streamed])
async def test_every_documented_error_can_be_provoked(name: str, ask: Any) -> None:
    with pytest.raises(LosiError) as raised:
        await ask(request(f"[[sandbox:error={name}]]"))

    error = raised.value
    assert (error.status, error.type, error.code) == DOCUMENTED[name]
    assert error.param == PARAMS.get(name)
    # asked for, so neither retried nor answered by another route
    assert not isinstance(error, UpstreamError) or error.remedy is Remedy.NOTHING


async def failure(directives: str) -> LosiError:
    with pytest.raises(LosiError) as raised:
        await completed(request(directives))
    return raised.value


async def test_errors_that_pass_say_when_and_a_used_up_quota_says_do_not_retry() -> None:
    limited = await failure("[[sandbox:error=429]][[sandbox:retry_after=2500ms]]")
    quota = await failure("[[sandbox:error=quota]]")

    assert limited.headers == {"retry-after": "3", "retry-after-ms": "2500"}
    assert quota.headers == {"x-should-retry": "false"}


#: docs/sandbox.md, "Errors": with `Retry-After`.
PASSING = ["429", "rate_limit", "502", "503", "409", "529", "overloaded", "504", "408", "timeout"]


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
async def test_errors_that_pass_say_that_they_do(name: str) -> None:
    by_itself = await failure(f"[[sandbox:error={name}]]")
    asked = await failure(f"[[sandbox:error={name}]][[sandbox:retry_after=7s]]")

    if name in PASSING:
        assert by_itself.headers["retry-after"] == "1"
        assert asked.headers["retry-after"] == "7"
    else:
        assert by_itself.headers == asked.headers
        assert ("retry-after" in by_itself.headers) is (name == "store_unavailable")


async def chunks_until_failure(directives: str) -> tuple[list[Json], LosiError]:
    received = []
    with pytest.raises(LosiError) as raised:
        exchange = Sandbox(instantly).prepare(call(request(directives)))
        async for chunk in chunks_of(exchange.stream()):
            received.append(chunk)
    return received, raised.value


@pytest.mark.parametrize("after", [0, 1, 3])
async def test_a_stream_breaks_after_so_many_chunks(after: int) -> None:
    received, error = await chunks_until_failure(f"[[sandbox:break_after={after}]]")

    assert len(received) == after
    assert error.code == "upstream_incomplete"
    assert isinstance(error, UpstreamError) and error.remedy is Remedy.NOTHING


async def test_a_broken_stream_never_looks_whole() -> None:
    received, error = await chunks_until_failure("[[sandbox:break_after=1000]]")

    assert error.code == "upstream_incomplete"
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in received)


async def test_an_error_in_the_middle_of_a_stream() -> None:
    received, error = await chunks_until_failure("[[sandbox:error_after=3]]")
    limited, rate_limit = await chunks_until_failure(
        "[[sandbox:error_after=2]][[sandbox:error=429]]"
    )

    assert (len(received), error.code) == (3, "upstream_error")
    assert (len(limited), rate_limit.code) == (2, "rate_limit_exceeded")


@pytest.mark.parametrize("directive", ["break_after=3", "error_after=3"])
async def test_an_answer_that_is_not_streamed_fails_as_a_whole(directive: str) -> None:
    assert (await failure(f"[[sandbox:{directive}]]")).status == 502


@pytest.mark.parametrize(
    ("written", "understood"),
    [
        ("", Directives()),
        ("delay=0ms", Directives(delay=0.0)),
        ("delay=60s", Directives(delay=60.0)),
        ("delay=1.5s", Directives(delay=1.5)),
        ("first_chunk_delay=60000ms", Directives(first_chunk_delay=60.0)),
        ("retry_after=250ms", Directives(retry_after=0.25)),
        ("tokens=1", Directives(tokens=1)),
        ("tokens=100000", Directives(tokens=100_000)),
        ("say=", Directives(say="")),
        ("say=a=b", Directives(say="a=b")),
        ("empty", Directives(empty=True)),
        ("refusal", Directives(refusal=True)),
        ("finish=length", Directives(finish="length")),
        ("call=f", Directives(call="f")),
        ("arguments={}", Directives(arguments="{}")),
        ("parallel=1", Directives(parallel=1)),
        ("parallel=16", Directives(parallel=16)),
        ("error=quota", Directives(error="quota")),
        ("error_after=0", Directives(error_after=0)),
        ("error_after=1000000", Directives(error_after=1_000_000)),
        ("break_after=0", Directives(break_after=0)),
        ("break_after=1000000", Directives(break_after=1_000_000)),
        ("no_usage", Directives(no_usage=True)),
        ("usage=0:-999999999999999", Directives(usage=(0, -999_999_999_999_999))),
    ],
)
def test_a_directive_is_read_up_to_its_bounds(written: str, understood: Directives) -> None:
    assert read(f"Some text [[sandbox:{written}]]" if written else "Some text") == understood


@pytest.mark.parametrize(
    "directive",
    [
        "[[sandbox:delay=60.001s]]",
        "[[sandbox:delay=60001ms]]",
        "[[sandbox:delay=1.0001s]]",
        "[[sandbox:parallel=0]]",
        "[[sandbox:error_after=-1]]",
        "[[sandbox:error_after=1000001]]",
        "[[sandbox:break_after=-1]]",
        "[[sandbox:break_after=1000001]]",
        "[[sandbox:usage=1:1000000000000000]]",
        "[[sandbox:usage=1:2:3]]",
        "[[sandbox:empty=]]",
        "[[sandbox:say]]",
        "[[sandbox:say=fine]] [[sandbox:say=open",
        "[[sandbox:nonsense]]",
        "[[sandbox:]]",
        "[[sandbox:tokens]]",
        "[[sandbox:tokens=0]]",
        "[[sandbox:tokens=100001]]",
        "[[sandbox:tokens=many]]",
        "[[sandbox:delay=5]]",
        "[[sandbox:delay=61s]]",
        "[[sandbox:delay=-1s]]",
        "[[sandbox:error=418]]",
        "[[sandbox:error]]",
        "[[sandbox:parallel=17]]",
        "[[sandbox:refusal=yes]]",
        "[[sandbox:usage=5]]",
        "[[sandbox:finish=tired]]",
        "[[sandbox:say=never closed",
    ],
)
async def test_a_directive_that_is_not_understood_is_refused_with_the_list_of_them(
    directive: str,
) -> None:
    error = await failure(directive)

    assert isinstance(error, InvalidRequestError)
    assert (error.param, error.code) == ("messages", "invalid_sandbox_directive")
    assert "first_chunk_delay=<0ms to 60s>" in error.message


@given(st.text(alphabet="[]sandbox:=tokensayrfu0159ms\n", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read(f"[[sandbox:{text}]]")
    except InvalidRequestError:
        return


def test_the_documentation_lists_every_directive_and_every_error() -> None:
    page = (Path(__file__).parents[3] / "docs/sandbox.md").read_text("utf-8")

    named = set(re.findall(r"\[\[sandbox:([a-z_]+)", page))
    assert named == set(DIRECTIVES)
    assert set(re.findall(r"^\| `([a-z0-9_]+)` \| [0-9]{3} ", page, re.MULTILINE)) == set(ERRORS)
