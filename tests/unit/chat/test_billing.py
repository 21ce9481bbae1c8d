"""Who pays for an answer, and how much: delivered, broken, absurd or none."""

import asyncio
from dataclasses import replace
from typing import Any, ClassVar

import orjson
import pytest

from losi.catalogue.models import Catalogue
from losi.chat import completions
from losi.errors import (
    InvalidRequestError,
    Remedy,
    UpstreamError,
    UpstreamTimeoutError,
)
from losi.metering.usage import Usage
from losi.upstream.format import UpstreamCall, malformed
from tests.catalogue import CATALOGUE
from tests.loose import Json, loose
from tests.request_lines import in_a_request
from tests.unit.chat.chat_world import (
    PROMPT,
    REPORTED,
    Scripted,
    chunk,
)


async def test_a_provider_that_does_not_stop_is_not_the_callers_to_pay(world: Any) -> None:
    here = world(Scripted(chunk("x" * 4_000)), stream=True, max_tokens=100)

    await here.events()

    assert here.settled() == (1, Usage(PROMPT, 100))


async def test_an_answer_that_says_nothing_pays_its_prompt(world: Any) -> None:
    finished = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    here = world(Scripted(finished), stream=True)

    events = await here.events()

    assert events[-1] == b"data: [DONE]\n\n"
    assert here.settled() == (1, Usage(PROMPT, 0))


TEXT_ALONE = {
    "choices": [{"index": 0, "message": {"content": "No."}, "finish_reason": "stop"}],
    "usage": REPORTED,
}

CALLED = {
    "choices": [
        {
            "index": 0,
            "message": {
                "content": None,
                "tool_calls": [{"id": "1", "function": {"name": "now", "arguments": "{}"}}],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": REPORTED,
}

DEMANDED = {
    "tools": [{"type": "function", "function": {"name": "now"}}],
    "tool_choice": "required",
}


class InTurn(Scripted):
    """Answers with one item after the other."""

    async def complete(self, call: UpstreamCall) -> Json:
        answer: Json = await super().complete(call)
        self.items = self.items[1:]
        return answer


def only_asked_to_call() -> Catalogue:
    """A model whose only route does not take forced tools."""
    model = CATALOGUE.models["gpt-4o"]
    route = model.routes[0].model_copy(update={"refuses": frozenset({"forced_tools"})})
    models = {**CATALOGUE.models, model.id: model.model_copy(update={"routes": (route,)})}
    return Catalogue(CATALOGUE.plans, CATALOGUE.providers, models)


async def test_both_answers_are_paid_when_the_first_was_not_what_was_asked_for(world: Any) -> None:
    upstream = InTurn(TEXT_ALONE, CALLED)
    here = world(upstream, its_catalogue=only_asked_to_call(), **DEMANDED)

    completion = await here.plain()

    assert completion.headers["x-losi-mapped"] == "tool_choice"
    assert completion.body["usage"]["total_tokens"] == 36
    assert here.settled() == (1, Usage(22, 14))


async def test_never_calling_a_tool_buys_no_answers_for_nothing(world: Any) -> None:
    upstream = InTurn(TEXT_ALONE, TEXT_ALONE)
    here = world(upstream, its_catalogue=only_asked_to_call(), **DEMANDED)

    with pytest.raises(UpstreamError) as caught:
        await here.plain()

    assert caught.value.code == "tool_not_called"
    assert here.settled() == (1, Usage(22, 14))


async def test_an_answer_that_cannot_be_given_is_not_charged(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: Any) -> Json:
        raise TypeError

    monkeypatch.setattr(completions, "public_completion", stumble)
    here = world(Scripted({"choices": [{"message": {"content": "Hi"}}], "usage": REPORTED}))

    with pytest.raises(TypeError):
        await here.plain()

    assert here.settled() == (0, Usage(0, 0))


async def test_a_failed_answer_is_free(world: Any) -> None:
    here = world(Scripted(malformed("OpenAI")))

    with pytest.raises(UpstreamError) as caught:
        await here.plain()

    assert here.settled() == (0, Usage(0, 0))
    assert caught.value.headers["x-ratelimit-remaining-requests"] == "999"


class TestWhoPays:
    """docs/ledger.md has the rule."""

    async def test_finished_choices_are_billed_although_a_sibling_failed(self, world: Any) -> None:
        class SecondFails(Scripted):
            calls = 0

            async def complete(self, call: UpstreamCall) -> Json:
                self.calls += 1
                if self.calls == 2:
                    raise UpstreamError("no", remedy=Remedy.NEXT_ROUTE)
                return await super().complete(call)

        message = {"role": "assistant", "content": "Hi"}
        answer = {"choices": [{"index": 0, "message": message}], "usage": REPORTED}
        provider = SecondFails(answer)
        here = world(provider, model="claude-3.5-sonnet", n=3)

        with pytest.raises(UpstreamError):
            await here.plain()

        assert provider.calls == 3
        assert here.settled()[1] in (Usage(11, 7), Usage(22, 14))  # as far as they had come

    async def test_an_answer_that_outlasts_its_timeout_is_billed_by_estimate_and_asked_once(
        self, world: Any
    ) -> None:
        class Stalls(Scripted):
            calls = 0

            async def complete(self, call: UpstreamCall) -> Json:
                self.calls += 1
                await asyncio.Event().wait()
                raise AssertionError

        provider = Stalls()
        here = world(provider, max_tokens=100)
        here.call = replace(here.call, seconds=0.05)

        with in_a_request() as line, pytest.raises(UpstreamTimeoutError) as caught:
            await here.plain()

        assert provider.calls == 1
        assert caught.value.headers["x-should-retry"] == "false"
        assert here.settled() == (1, Usage(PROMPT, 100))
        assert line.account == f"acct_{here.account_id}"
        assert (line.input_tokens, line.output_tokens, line.estimated) == (PROMPT, 100, True)

    async def test_what_an_answer_of_another_shape_cost_is_recorded_and_not_billed(
        self, world: Any
    ) -> None:
        """Nothing was delivered; the line lets the operator reconcile the provider's invoice."""
        here = world(Scripted(malformed("OpenAI", loose(REPORTED))))

        with in_a_request() as line, pytest.raises(UpstreamError):
            await here.plain()

        assert here.settled() == (0, Usage(0, 0))
        assert line.account == f"acct_{here.account_id}" and line.micro_usd is None
        assert {(each.input_tokens, each.output_tokens) for each in line.attempts} == {(11, 7)}

    async def test_what_a_stream_of_another_shape_told_is_billed_once_it_had_said_something(
        self, world: Any
    ) -> None:
        told = {"choices": [], "usage": REPORTED}
        here = world(Scripted(chunk("12345678"), told, malformed("OpenAI")), stream=True)

        await here.events()

        assert here.settled() == (1, Usage(11, 7))

    async def test_what_a_stream_told_before_its_first_content_is_recorded_and_not_billed(
        self, world: Any
    ) -> None:
        told = {"choices": [], "usage": REPORTED}
        here = world(Scripted(told, malformed("OpenAI")), stream=True)

        with in_a_request() as line, pytest.raises(UpstreamError):
            await here.events()

        assert here.settled() == (0, Usage(0, 0))
        assert {(each.input_tokens, each.output_tokens) for each in line.attempts} == {(11, 7)}

    async def test_a_choice_that_is_asked_for_again_leaves_what_it_cost(
        self, world: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        class FirstIsMalformed(Scripted):
            calls = 0

            async def complete(self, call: UpstreamCall) -> Json:
                self.calls += 1
                if self.calls == 1:
                    raise malformed("Claude", loose(REPORTED))
                return await super().complete(call)

        message = {"role": "assistant", "content": "Hi"}
        answer = {"choices": [{"index": 0, "message": message}], "usage": REPORTED}
        here = world(FirstIsMalformed(answer), model="claude-3.5-sonnet", n=2)

        await here.plain()

        assert here.settled() == (1, Usage(22, 14))
        assert "req_1 one choice on anthropic/" in caplog.text
        assert f"cost={Usage(11, 7)}" in caplog.text

    async def test_more_choices_than_the_model_gives_are_refused_by_name(self, world: Any) -> None:
        here = world(Scripted(chunk("x")), model="claude-3.5-sonnet", n=9)

        with pytest.raises(InvalidRequestError, match="at most 8 choices") as caught:
            await here.plain()

        assert caught.value.param == "n"


async def test_an_answer_that_is_no_answer_is_free(world: Any) -> None:
    here = world(Scripted(malformed("OpenAI")), stream=True)

    with pytest.raises(UpstreamError):
        await here.events()

    assert here.settled() == (0, Usage(0, 0))


async def test_a_broken_stream_is_charged_what_was_produced(world: Any) -> None:
    here = world(Scripted(chunk("12345678"), malformed("OpenAI")), stream=True)

    events = await here.events()

    assert orjson.loads(events[-1].removeprefix(b"data: "))["error"]["code"] == "upstream_malformed"
    requests, usage = here.settled()
    assert (requests, usage.output_tokens) == (1, 2)


class TestAbsurdUsage:
    """A provider's figures count as far as they can be: to the limit and the context window."""

    ABSURD: ClassVar[Json] = {"prompt_tokens": 10**15, "completion_tokens": 10**15}
    WINDOW = CATALOGUE.models["gpt-4o-mini"].context_window

    def answer(self, **usage: int) -> Json:
        message = {"role": "assistant", "content": "Hi"}
        return {"choices": [{"index": 0, "message": message}], "usage": usage}

    async def test_of_an_answer(self, world: Any) -> None:
        here = world(Scripted(self.answer(**self.ABSURD)), max_tokens=100)

        completion = await here.plain()

        assert here.settled() == (1, Usage(self.WINDOW, 100))
        assert completion.body["usage"]["total_tokens"] == self.WINDOW + 100

    async def test_of_a_stream(self, world: Any) -> None:
        told = {"choices": [], "usage": self.ABSURD}
        here = world(Scripted(chunk("Hi"), told), stream=True, max_tokens=100)

        await here.events()

        assert here.settled() == (1, Usage(self.WINDOW, 100))

    async def test_of_several_choices(self, world: Any) -> None:
        here = world(Scripted(self.answer(**self.ABSURD)), max_tokens=100, n=3)

        await here.plain()

        assert here.settled() == (1, Usage(self.WINDOW, 300))

    async def test_of_several_calls(self, world: Any) -> None:
        model = "claude-3.5-sonnet"
        here = world(Scripted(self.answer(**self.ABSURD)), model=model, max_tokens=100, n=3)

        await here.plain()

        window = CATALOGUE.models[model].context_window
        assert here.settled() == (1, Usage(3 * window, 300))

    async def test_that_is_negative(self, world: Any) -> None:
        here = world(Scripted(self.answer(prompt_tokens=-5, completion_tokens=7)))

        completion = await here.plain()

        assert completion.body["usage"]["prompt_tokens"] == 0
        assert here.settled() == (1, Usage(0, 7))


ROLE: Json = {
    "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]
}


async def test_a_stream_that_breaks_before_it_said_anything_is_free(world: Any) -> None:
    """The next route is asked: a role alone is no content."""
    here = world(Scripted(ROLE, malformed("OpenAI")), stream=True)

    with pytest.raises(UpstreamError):
        await here.events()

    assert here.settled() == (0, Usage(0, 0))


@pytest.mark.parametrize(
    "said",
    [
        {"type": "function", "function": {"name": "f", "arguments": "x" * 39}},
        {"type": "custom", "custom": {"name": "f", "input": "x" * 39}},
    ],
    ids=["function", "custom"],
)
async def test_a_broken_stream_of_tool_calls_is_charged(world: Any, said: Json) -> None:
    delta = {"tool_calls": [{"index": 0, "id": "call_1", **said}]}
    tool = {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    here = world(Scripted(ROLE, tool, malformed("OpenAI")), stream=True)

    await here.events()

    assert here.settled() == (1, Usage(PROMPT, 10))
