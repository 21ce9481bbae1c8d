"""The use case around provider and ledger: what is admitted, charged, given back, told."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import orjson
import pytest

from losi.catalogue.catalogue import Catalogue
from losi.catalogue.models import Model
from losi.catalogue.providers import Provider
from losi.chat import completions
from losi.chat.completions import Call, ChatCompletions, End
from losi.chat.request import parse_chat_request
from losi.config import Config
from losi.dialects import openai_chat
from losi.errors import (
    InvalidRequestError,
    PermissionDeniedError,
    Remedy,
    StoreUnavailableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from losi.identity.authenticator import Authenticator
from losi.management.accounts import Accounts, NewKey
from losi.metering import gate
from losi.metering.gate import Gate
from losi.metering.ledger import Ledger
from losi.metering.settler import Settler, drain
from losi.metering.usage import Usage
from losi.store.client import Item
from losi.store.queue import FolderQueue
from losi.store.writes import DynamoDBWrites, Update, Writes, Written
from losi.upstream.format import Format, UpstreamCall, malformed
from losi.upstream.registry import Registry
from losi.upstream.routing import ChatRouter
from losi.wire import Json
from tests.catalogue import CATALOGUE
from tests.fake_format import FakeExchange
from tests.ledger_invariants import check_invariants
from tests.ledger_world import BlockingLedger, Clock, metered
from tests.unit.conftest import TABLE

#: Estimated tokens of the prompt of every request here.
PROMPT = 9
REPORTED = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def chunk(text: str) -> Json:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}


class Scripted:
    """Streams its items, or raises the one that is an error; plain, it answers with the first."""

    def __init__(self, *items: Json | Exception) -> None:
        self.items = items
        self.closed = False

    def prepare(self, call: UpstreamCall) -> FakeExchange:
        return FakeExchange(self, call)

    async def complete(self, call: UpstreamCall) -> Json:
        if isinstance(self.items[0], Exception):
            raise self.items[0]
        return dict(self.items[0])

    async def stream(self, call: UpstreamCall) -> AsyncGenerator[Json]:
        try:
            for item in self.items:
                if isinstance(item, Exception):
                    raise item
                yield dict(item)
        finally:
            self.closed = True


class OneProvider(Registry[Format]):
    def __init__(self, provider: Format) -> None:
        super().__init__({}, Config())
        self.one = provider

    def upstream(self, provider: Provider, *, refresh: bool = False) -> Format:
        return self.one


class NoStore:
    """Refuses every write, as DynamoDB does while it throttles."""

    async def update(self, update: Update) -> Written:
        raise StoreUnavailableError

    async def transact(self, updates: Sequence[Update]) -> Written:
        raise StoreUnavailableError

    async def newest(self, account_id: str, first: str, last: str) -> list[Item]:
        raise StoreUnavailableError


@dataclass
class World:
    chat: ChatCompletions
    call: Call
    ledger: BlockingLedger
    account_id: str

    async def plain(self) -> Any:
        return await self.chat.complete(self.call, await self.principal())

    async def events(self) -> list[bytes]:
        stream = await self.chat.stream(self.call, await self.principal())
        include_usage = self.call.request.include_usage
        framed = openai_chat.frame(stream.events, include_usage=include_usage)
        return [event async for event in framed]

    async def principal(self) -> Any:
        return await self.chat.authenticate(self.call.credential)

    def settled(self) -> tuple[int, Usage]:
        days = self.ledger.usage(self.account_id, date(2026, 1, 1), date(2026, 12, 31))
        return (days[0].requests, days[0].total) if days else (0, Usage(0, 0))


@pytest.fixture
def queue(tmp_path: Path) -> FolderQueue:
    return FolderQueue(tmp_path)


@pytest.fixture
def world(
    client: Any,
    accounts: Accounts,
    authenticator: Authenticator,
    ledger: BlockingLedger,
    queue: FolderQueue,
    clock: Clock,
) -> Any:
    """Makes a world around one provider; at the end, the ledger's invariants hold."""

    def make(
        provider: Format,
        *,
        settlements: Writes | None = None,
        its_catalogue: Catalogue | None = None,
        permissions: frozenset[str] = frozenset({"chat.completions"}),
        **fields: Any,
    ) -> World:
        account = accounts.create_account("ultra")
        _, secret = accounts.create_key(account.id, NewKey("key", permissions))
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], **fields}
        call = Call(secret, parse_chat_request(body), "req_1", 60)
        router = ChatRouter(OneProvider(provider), sleep=no_sleep)
        models = its_catalogue or CATALOGUE
        writes = DynamoDBWrites(client, TABLE)
        its_ledger = Ledger(writes, settlements or writes, clock)
        its_gate = Gate(authenticator, its_ledger, Settler(its_ledger, queue), clock)
        chat = ChatCompletions(its_gate, models, router, clock)
        return World(chat, call, ledger, account.id)

    yield make
    check_invariants(client, TABLE)


async def no_sleep(seconds: float) -> None:
    """Backoff is tested with the routes."""


async def test_a_stream_is_settled_before_it_says_that_it_is_done(world: Any) -> None:
    here = world(Scripted(chunk("Hel"), chunk("lo"), {"choices": [], "usage": REPORTED}))
    stream = await here.chat.stream(here.call, await here.principal())

    async for event in stream.events:
        if isinstance(event, End):
            assert here.settled() == (1, Usage(11, 7))
            break
    else:
        pytest.fail("the stream never said that it was done")


@pytest.mark.parametrize(
    ("fields", "held"),
    [
        ({"max_tokens": 100}, 100),
        ({}, 4_096),  # the plan's cap
        ({"n": 3, "max_tokens": 100}, 300),
        ({"n": 3}, 4_096 + 2 * 16_384),  # further choices hold all that they can have
    ],
)
async def test_what_a_running_request_holds(world: Any, fields: dict[str, Any], held: int) -> None:
    here = world(Scripted(chunk("x")), stream=True, **fields)

    stream = await here.chat.stream(here.call, await here.principal())
    remaining = int(stream.headers["x-ratelimit-remaining-tokens"])
    await stream.events.aclose()

    assert 4_000_000 - remaining == held + PROMPT  # and the estimated input


async def test_a_provider_that_is_asked_n_times_holds_the_prompt_n_times(world: Any) -> None:
    here = world(Scripted(chunk("x")), model="claude-3.5-sonnet", stream=True, n=3, max_tokens=100)

    stream = await here.chat.stream(here.call, await here.principal())
    remaining = int(stream.headers["x-ratelimit-remaining-tokens"])
    [event async for event in stream.events]

    assert 4_000_000 - remaining == 300 + 3 * PROMPT
    # no figures: each prompt was read all the same
    assert here.settled() == (1, Usage(3 * PROMPT, 1))


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
        self, world: Any, caplog: pytest.LogCaptureFixture
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

        with caplog.at_level(logging.INFO), pytest.raises(UpstreamTimeoutError) as caught:
            await here.plain()

        assert provider.calls == 1
        assert caught.value.headers["x-should-retry"] == "false"
        assert here.settled() == (1, Usage(PROMPT, 100))
        assert f"account={here.account_id}" in caplog.text

    async def test_what_an_answer_of_another_shape_cost_is_recorded_and_not_billed(
        self, world: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Nothing was delivered; the line lets the operator reconcile the provider's invoice."""
        here = world(Scripted(malformed("OpenAI", REPORTED)))

        with pytest.raises(UpstreamError):
            await here.plain()

        assert here.settled() == (0, Usage(0, 0))
        costs = [line for line in caplog.messages if f"cost={Usage(11, 7)}" in line]
        assert costs and all(f"account={here.account_id}" in line for line in costs)

    async def test_what_a_stream_of_another_shape_told_is_billed_once_it_had_said_something(
        self, world: Any
    ) -> None:
        told = {"choices": [], "usage": REPORTED}
        here = world(Scripted(chunk("12345678"), told, malformed("OpenAI")), stream=True)

        await here.events()

        assert here.settled() == (1, Usage(11, 7))

    async def test_what_a_stream_told_before_its_first_content_is_recorded_and_not_billed(
        self, world: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        told = {"choices": [], "usage": REPORTED}
        here = world(Scripted(told, malformed("OpenAI")), stream=True)

        with pytest.raises(UpstreamError):
            await here.events()

        assert here.settled() == (0, Usage(0, 0))
        assert f"cost={Usage(11, 7)}" in caplog.text

    async def test_a_choice_that_is_asked_for_again_leaves_what_it_cost(
        self, world: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        class FirstIsMalformed(Scripted):
            calls = 0

            async def complete(self, call: UpstreamCall) -> Json:
                self.calls += 1
                if self.calls == 1:
                    raise malformed("Claude", REPORTED)
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


async def test_a_fault_of_our_own_becomes_an_error_event_and_is_settled(world: Any) -> None:
    here = world(Scripted(chunk("12345678"), RuntimeError("bug")), stream=True)

    events = await here.events()

    error = orjson.loads(events[-1].removeprefix(b"data: "))["error"]
    assert error["type"] == "server_error" and "bug" not in error["message"]
    assert here.settled()[0] == 1


async def test_a_stream_that_is_cancelled_is_settled_and_closed(world: Any) -> None:
    provider = Scripted(chunk("12345678"), chunk("more"))
    here = world(provider, stream=True)
    stream = await here.chat.stream(here.call, await here.principal())
    await anext(stream.events)

    await stream.events.aclose()

    assert here.settled()[0] == 1
    assert provider.closed


async def test_a_completion_writes_two_things_and_leaves_no_record(world: Any, client: Any) -> None:
    """Admission and settlement: nothing of the audit log is written on the hot path."""
    message = {"role": "assistant", "content": "Hi"}
    here = world(Scripted({"choices": [{"index": 0, "message": message}], "usage": REPORTED}))
    await here.plain()

    with metered(client) as meter:
        await here.plain()

    assert meter.calls == ["UpdateItem", "UpdateItem"]


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


async def test_an_answer_does_not_wait_for_a_sick_store_and_is_billed_later(
    world: Any,
    ledger: BlockingLedger,
    queue: FolderQueue,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(gate, "SETTLED_WITHIN_SECONDS", 0.0)
    message = {"role": "assistant", "content": "Hi"}
    answer = {"choices": [{"index": 0, "message": message}], "usage": REPORTED}
    here = world(Scripted(answer), settlements=NoStore())

    completion = await here.plain()

    assert completion.body["choices"][0]["message"]["content"] == "Hi"
    (settlement,) = here.call.unfinished
    settlement.cancel()  # the process stops
    await asyncio.wait({settlement})
    assert here.settled() == (0, Usage(0, 0))
    assert "handed over to be settled later" in caplog.text
    assert await drain(queue, ledger.ledger) == 1
    assert here.settled() == (1, Usage(11, 7))


async def test_a_key_without_the_permission_is_told_which(world: Any) -> None:
    here = world(Scripted(chunk("x")), permissions=frozenset({"models.list"}))

    with pytest.raises(PermissionDeniedError, match=r"chat\.completions"):
        await here.plain()


async def test_at_the_deadline_a_silent_stream_ends_with_an_error(world: Any) -> None:
    class Stalls(Scripted):
        async def stream(self, call: UpstreamCall) -> AsyncGenerator[Json]:
            yield chunk("12345678")
            await asyncio.Event().wait()

    here = world(Stalls(), stream=True)
    here.call = Call(here.call.credential, here.call.request, "req_1", 0.05)

    events = await here.events()

    assert b"deadline_exceeded" in events[-1]
    assert here.settled()[0] == 1


async def test_before_the_first_chunk_the_deadline_is_a_504(world: Any) -> None:
    class Silent(Scripted):
        async def stream(self, call: UpstreamCall) -> AsyncGenerator[Json]:
            await asyncio.Event().wait()
            yield {}

    here = world(Silent(), stream=True)
    here.call = Call(here.call.credential, here.call.request, "req_1", 0.05)

    with pytest.raises(UpstreamTimeoutError) as caught:
        await here.events()

    assert caught.value.status == 504
    assert here.settled() == (0, Usage(0, 0))


def shutting_down(on: date) -> Catalogue:
    def dated(model: Model) -> Model:
        return model.model_copy(update={"shutdown_date": on})

    return replace(CATALOGUE, models={m.id: dated(m) for m in CATALOGUE.models.values()})


@pytest.mark.parametrize(("days", "told"), [(30, True), (200, False)])
async def test_a_model_near_its_end_says_so(
    world: Any, clock: Clock, days: int, told: bool
) -> None:
    message = {"role": "assistant", "content": "Hi"}
    answer = {"choices": [{"index": 0, "message": message}], "usage": REPORTED}
    end = (datetime.fromtimestamp(clock.now, UTC) + timedelta(days)).date()

    completion = await world(Scripted(answer), its_catalogue=shutting_down(end)).plain()

    assert ("sunset" in completion.headers) is told


async def test_no_prompt_and_no_answer_is_logged(
    world: Any, caplog: pytest.LogCaptureFixture
) -> None:
    messages = [{"role": "user", "content": "my secret question"}]
    here = world(
        Scripted(chunk("my secret answer"), malformed("X")), stream=True, messages=messages
    )

    with caplog.at_level(logging.DEBUG, logger="losi"):
        await here.events()

    assert "req_1" in caplog.text
    assert "secret" not in caplog.text


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


async def test_a_mistake_of_ours_is_not_the_upstreams_and_leaves_its_place_in_the_log(
    world: Any, caplog: pytest.LogCaptureFixture
) -> None:
    here = world(Scripted(chunk("Hello"), KeyError("what the caller said")), stream=True)

    *_, failure = await here.events()

    assert b"internal_error" in failure and b"upstream" not in failure
    assert "KeyError at tests.unit.chat.test_completions:" in caplog.text
    assert "what the caller said" not in caplog.text
