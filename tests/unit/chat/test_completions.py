"""The use case around provider and ledger: what is admitted, held, told and ended in time."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest

from losi.catalogue.models import Catalogue, Model
from losi.chat.completions import Call, End
from losi.errors import (
    PermissionDeniedError,
    UpstreamTimeoutError,
)
from losi.metering import gate
from losi.metering.settler import drain
from losi.metering.usage import Usage
from losi.store.queue import FolderQueue
from losi.upstream.batch import each
from losi.upstream.format import UpstreamCall, malformed
from tests.catalogue import CATALOGUE
from tests.ledger_world import BlockingLedger, Clock, metered
from tests.loose import Json, loose
from tests.request_lines import in_a_request
from tests.unit.chat.chat_world import (
    PROMPT,
    REPORTED,
    NoStore,
    Scripted,
    chunk,
)


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
async def test_what_a_running_request_holds(world: Any, fields: Json, held: int) -> None:
    here = world(Scripted(chunk("x")), stream=True, **fields)

    stream = await here.chat.stream(here.call, await here.principal())
    remaining = int(stream.headers["x-ratelimit-remaining-tokens"])
    await stream.events.aclose()

    assert 4_000_000 - remaining == held + PROMPT  # and the estimated input


async def test_thinking_that_nobody_asked_for_is_held_and_paid_beside_the_limit(
    world: Any,
) -> None:
    always_thinks = CATALOGUE.models["gpt-4o"].routes[0].model_copy(update={"efforts": ("low",)})
    model = CATALOGUE.models["gpt-4o"].model_copy(update={"routes": (always_thinks,)})
    told = {"prompt_tokens": 9, "completion_tokens": 900}
    items = [chunk("x" * 404), chunk("more"), {"choices": [], "usage": told}]
    here = world(
        Scripted(*items),
        its_catalogue=replace(CATALOGUE, models={"gpt-4o": model}),
        stream=True,
        max_tokens=100,
    )

    stream = await here.chat.stream(here.call, await here.principal())
    remaining = int(stream.headers["x-ratelimit-remaining-tokens"])
    batches = [event async for event in stream.events if not isinstance(event, End)]

    chunks = [chunk for batch in batches for chunk in each(batch)]
    said = [choice["delta"].get("content", "") for c in chunks for choice in c["choices"]]
    assert "".join(loose(said)) == "x" * 400
    assert 4_000_000 - remaining == 100 + 1_024 + PROMPT
    assert here.settled() == (1, Usage(9, 900))


async def test_a_provider_that_is_asked_n_times_holds_the_prompt_n_times(world: Any) -> None:
    here = world(Scripted(chunk("x")), model="claude-3.5-sonnet", stream=True, n=3, max_tokens=100)

    stream = await here.chat.stream(here.call, await here.principal())
    remaining = int(stream.headers["x-ratelimit-remaining-tokens"])
    [event async for event in stream.events]

    assert 4_000_000 - remaining == 300 + 3 * PROMPT
    # no figures: each prompt was read all the same
    assert here.settled() == (1, Usage(3 * PROMPT, 1))


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

    with caplog.at_level(logging.DEBUG, logger="losi"), in_a_request() as line:
        await here.events()

    assert line.error == "upstream_malformed"
    assert "secret" not in caplog.text + repr(line)


async def test_a_mistake_of_ours_is_not_the_upstreams_and_leaves_its_place_in_the_log(
    world: Any, caplog: pytest.LogCaptureFixture
) -> None:
    here = world(Scripted(chunk("Hello"), KeyError("what the caller said")), stream=True)

    *_, failure = await here.events()

    assert b"internal_error" in failure and b"upstream" not in failure
    assert "KeyError at tests.unit.chat.chat_world:" in caplog.text
    assert "what the caller said" not in caplog.text
