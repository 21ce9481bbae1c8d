"""The relayed response: what is sent when, and that the relay is read to its end whatever."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from losi.dialects.form import Form
from losi.dialects.openai import EVENT_STREAM, PLAIN
from losi.errors import LosiError, ModelNotFoundError, UpstreamError
from losi.metering.gate import SETTLING_SECONDS
from losi.web.relay import Opened, Pieces, RelayResponse
from losi.web.responses import render
from tests import virtual_time

#: What a request may take here.
SECONDS = 60
SCOPE: dict[str, Any] = {"type": "http", "method": "POST", "headers": []}


class Client:
    """Collects what is sent; `gone_after` events it hangs up, as ASGI servers report it."""

    def __init__(self, gone_after: int | None = None) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body: list[bytes] = []
        self.ended = False
        self.received = asyncio.Event()
        self._gone_after = gone_after

    async def send(self, message: Any) -> None:
        if self._gone_after is not None and len(self.body) >= self._gone_after:
            raise OSError("disconnected")
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            return
        if message["body"]:
            self.body.append(message["body"])
            self.received.set()
        self.ended = not message.get("more_body", False)

    async def receive(self) -> Any:
        return {"type": "http.disconnect"}


async def respond(
    client: Client,
    opening: Awaitable[Opened],
    heartbeat: float = 60,
    form: Form = EVENT_STREAM,
) -> None:
    form = replace(form, heartbeat_seconds=heartbeat)
    response = RelayResponse(opening, render, form, SECONDS)  # type: ignore[arg-type]
    await response(SCOPE, client.receive, client.send)


class Source:
    """A relay that notes how far it was read."""

    def __init__(self, *events: bytes, failure: Exception | None = None) -> None:
        self.events, self.failure = events, failure
        self.read: list[bytes] = []
        self.finished = False

    async def _relay(self) -> AsyncGenerator[bytes]:
        for event in self.events:
            self.read.append(event)
            yield event
        self.finished = True

    async def open(self) -> Opened:
        if self.failure is not None:
            raise self.failure
        return Pieces(self._relay(), bytes), {"x-losi-provider": "sandbox"}


async def test_events_that_come_apart_are_sent_one_by_one_with_the_headers_of_the_stream() -> None:
    client = Client()

    async def apart() -> AsyncGenerator[bytes]:
        yield b"data: 1\n\n"
        await client.received.wait()
        yield b"data: [DONE]\n\n"

    async def opening() -> Opened:
        return Pieces(apart(), bytes), {"x-losi-provider": "sandbox"}

    await respond(client, opening())

    assert client.body == [b"data: 1\n\n", b"data: [DONE]\n\n"]
    assert client.status == 200 and client.ended
    assert client.headers["content-type"].startswith("text/event-stream")
    assert client.headers["x-losi-provider"] == "sandbox"


async def test_a_failure_before_the_first_event_has_its_own_status() -> None:
    client = Client()

    await respond(client, Source(failure=ModelNotFoundError("no such model")).open())

    assert client.status == 404
    assert b"model_not_found" in client.body[0]


async def test_a_client_that_hangs_up_does_not_stop_the_relay() -> None:
    source = Source(b"1", b"2", b"3", b"4")

    await respond(Client(gone_after=1), source.open())

    assert source.finished
    assert source.read == [b"1", b"2", b"3", b"4"]


async def silent_until(heard: asyncio.Event, then: Callable[[], Awaitable[Opened]]) -> Opened:
    await heard.wait()
    return await then()


def test_a_client_that_stops_reading_does_not_hold_a_request_beyond_its_deadline() -> None:
    """The relay goes on to its end, in time to be settled before its hold expires."""

    class StopsReading(Client):
        async def send(self, message: Any) -> None:
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()

    async def main() -> tuple[bool, float]:
        source = Source(b"data: 1\n\n", b"data: 2\n\n", b"data: [DONE]\n\n")
        await respond(StopsReading(), source.open(), heartbeat=5)
        return source.finished, asyncio.get_running_loop().time()

    finished, took = virtual_time.run(main())

    assert finished
    assert took <= SECONDS + SETTLING_SECONDS


def test_the_last_words_of_a_request_that_lasted_as_long_as_it_may_are_written() -> None:
    """Its error event, to a client that takes half a second to read it."""

    class Slow(Client):
        async def send(self, message: Any) -> None:
            await asyncio.sleep(0.25)
            await super().send(message)

    async def main() -> list[bytes]:
        async def relay() -> AsyncGenerator[bytes]:
            await asyncio.sleep(SECONDS)
            yield b"data: timed out\n\n"

        async def opening() -> Opened:
            return Pieces(relay(), bytes), {}

        client = Slow()
        await respond(client, opening(), heartbeat=10 * SECONDS)
        return client.body

    assert virtual_time.run(main()) == [b"data: timed out\n\n"]


def test_a_settlement_that_outlasts_the_request_is_not_cancelled_when_the_client_is_gone() -> None:
    async def main() -> bool:
        settled = False

        async def relay() -> AsyncGenerator[bytes]:
            nonlocal settled
            yield b"data: 1\n\n"
            yield b"data: 2\n\n"
            await asyncio.sleep(SECONDS + SETTLING_SECONDS)
            settled = True

        async def opening() -> Opened:
            return Pieces(relay(), bytes), {}

        await respond(Client(gone_after=0), opening())
        return settled

    assert virtual_time.run(main())


def test_an_error_that_the_client_does_not_read_does_not_hold_a_request_beyond_its_deadline() -> (
    None
):
    class StopsReading(Client):
        async def send(self, message: Any) -> None:
            if b"error" in message.get("body", b""):
                await asyncio.sleep(100 * SECONDS)
            await super().send(message)

    async def main() -> float:
        client = StopsReading()
        failed = Source(failure=UpstreamError("OpenAI failed."))
        await respond(client, silent_until(client.received, failed.open), heartbeat=5)
        return asyncio.get_running_loop().time()

    assert virtual_time.run(main()) <= SECONDS + SETTLING_SECONDS


async def test_while_the_provider_is_silent_comments_keep_the_connection_open() -> None:
    client = Client()

    await respond(
        client, silent_until(client.received, Source(b"data: 1\n\n").open), heartbeat=0.01
    )

    assert client.body[0] == EVENT_STREAM.heartbeat
    assert client.body[-1] == b"data: 1\n\n"


@pytest.mark.parametrize("in_pieces", [False, True])
def test_no_comment_follows_an_answer_that_comes_when_one_is_due(in_pieces: bool) -> None:
    async def main() -> list[bytes]:
        loop, client = asyncio.get_running_loop(), Client()
        assert isinstance(loop, virtual_time.VirtualLoop)

        async def pieces() -> AsyncGenerator[bytes]:
            yield b"whole"

        async def opening() -> Opened:
            await asyncio.sleep(15)  # the first comment was written after 10 seconds
            loop.now += 5  # while the loop was busy, the next one became due
            return Pieces(pieces(), bytes) if in_pieces else b"whole", {}

        await respond(client, opening(), heartbeat=10)
        await asyncio.sleep(100)
        return client.body

    assert virtual_time.run(main()) in (
        [EVENT_STREAM.heartbeat, b"whole"],
        [EVENT_STREAM.heartbeat, EVENT_STREAM.heartbeat, b"whole"],
    )


def test_an_answer_waits_for_the_comment_that_is_being_written() -> None:
    class ReadsCommentsSlowly(Client):
        async def send(self, message: Any) -> None:
            if message.get("body") == EVENT_STREAM.heartbeat:
                await asyncio.sleep(3)
            await super().send(message)

    async def main() -> list[bytes]:
        async def opening() -> Opened:
            await asyncio.sleep(11)  # a second after the comment was begun
            return b"whole", {}

        client = ReadsCommentsSlowly()
        await respond(client, opening(), heartbeat=10)
        return client.body

    assert virtual_time.run(main()) == [EVENT_STREAM.heartbeat, b"whole"]


async def test_a_failure_after_a_comment_is_an_error_event_without_done() -> None:
    client = Client()
    failure: LosiError = UpstreamError("OpenAI failed.")

    await respond(
        client, silent_until(client.received, Source(failure=failure).open), heartbeat=0.01
    )

    assert client.status == 200
    assert client.body[-1].startswith(b'data: {"error":{"message":"OpenAI failed."')
    assert not any(b"[DONE]" in event for event in client.body)


async def test_a_failure_while_a_comment_is_being_sent_waits_for_it() -> None:
    class SlowToBegin(Client):
        def __init__(self) -> None:
            super().__init__()
            self.beginning, self.may_begin = asyncio.Event(), asyncio.Event()

        async def send(self, message: Any) -> None:
            if message["type"] == "http.response.start":
                self.beginning.set()
                await self.may_begin.wait()
            await super().send(message)

    client = SlowToBegin()
    failed = Source(failure=UpstreamError("OpenAI failed."))
    response = asyncio.ensure_future(
        respond(client, silent_until(client.beginning, failed.open), heartbeat=0.01)
    )
    await client.beginning.wait()
    await asyncio.sleep(0)  # the failure is met
    client.may_begin.set()
    await response

    assert client.status == 200
    assert client.body[0] == EVENT_STREAM.heartbeat and b"OpenAI failed." in client.body[-1]


async def test_a_plain_answer_that_takes_long_begins_with_spaces_and_is_still_json() -> None:
    client = Client()
    answer = silent_until(client.received, Source(b'{"choices": []}').open)

    await respond(client, answer, heartbeat=0.01, form=PLAIN)

    assert client.body[0] == b" "
    assert json.loads(b"".join(client.body)) == {"choices": []}
    assert client.headers["content-type"] == "application/json"


async def test_a_plain_answer_that_fails_late_is_the_error_object() -> None:
    client = Client()
    failed = Source(failure=UpstreamError("OpenAI failed."))

    await respond(client, silent_until(client.received, failed.open), heartbeat=0.01, form=PLAIN)

    assert client.status == 200  # it was sent with the first space
    assert json.loads(b"".join(client.body))["error"]["message"] == "OpenAI failed."


async def test_nginx_is_told_not_to_collect_the_events() -> None:
    client = Client()

    await respond(client, Source(b"data: 1\n\n").open())

    assert client.headers["x-accel-buffering"] == "no"


async def test_nothing_of_the_response_is_left_running() -> None:
    before = asyncio.all_tasks()

    await respond(Client(), Source(b"data: 1\n\n").open())
    with suppress(RuntimeError):
        await respond(Client(), Source(failure=RuntimeError("bug")).open())
    await respond(Client(), Source(failure=UpstreamError("OpenAI failed.")).open())

    assert asyncio.all_tasks() == before


async def test_a_bug_before_anything_was_sent_is_the_apps_to_answer_and_log() -> None:
    client = Client()

    with pytest.raises(RuntimeError, match="bug"):
        await respond(client, Source(failure=RuntimeError("bug")).open())

    assert client.status is None


@pytest.mark.parametrize("form", [EVENT_STREAM, PLAIN], ids=["stream", "plain"])
async def test_a_bug_after_a_heartbeat_ends_the_answer_with_an_error(form: Form) -> None:
    client = Client()
    crash = Source(failure=RuntimeError("bug"))

    await respond(client, silent_until(client.received, crash.open), heartbeat=0.01, form=form)

    assert client.ended
    assert b'"type":"server_error"' in client.body[-1] and b"bug" not in client.body[-1]
