"""A process is killed or told to stop while it answers: what the caller sees and pays
(docs/reliability.md). All rows of a server meet one server, one after the other.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tests.e2e.world import expire_holds, usage_today
from tests.fake_upstream import Received, Reply
from tests.faults import broken, scenarios
from tests.faults.api import MAX_TOKENS, MODEL, PROMPT, seen
from tests.faults.page import Row, rows
from tests.faults.scenarios import Place

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DEPLOYED = rows("e2e/test_process_faults.py::test_of_the_deployed_shape")
RUN_HERE = rows("e2e/test_process_faults.py::test_of_make_run")


@dataclass
class Answering:
    """A request, and a provider that goes on only when it is told to."""

    place: Place
    stream: bool
    #: It waits before it says anything.
    silent: bool

    def __post_init__(self) -> None:
        self.waits, self.begun, self.goes_on = (asyncio.Event() for _ in range(3))
        self.place.upstream.answer = self._answer

    def _answer(self, asked: Received) -> Reply:
        if not self.stream:
            return Reply(self._json(), headers={"content-type": "application/json"})
        return Reply.sse(self._events())

    async def _json(self) -> AsyncIterator[bytes]:
        self.waits.set()
        await self.goes_on.wait()
        yield broken.WHOLE

    async def _events(self) -> AsyncIterator[bytes]:
        if not self.silent:
            yield broken.word(broken.WORDS)
        self.waits.set()
        await self.goes_on.wait()
        for event in [broken.word(broken.WORDS), *broken.END][not self.silent :]:
            yield event

    async def sees(self) -> str:
        body = {"model": MODEL, "messages": PROMPT, "max_tokens": MAX_TOKENS, "stream": self.stream}
        sdk, content = self.place.sdk, b""
        url = f"{sdk.base_url}chat/completions"
        headers = {"authorization": f"Bearer {sdk.api_key}"}
        async with httpx.AsyncClient(timeout=60) as http:
            try:
                async with http.stream("POST", url, headers=headers, json=body) as response:
                    async for piece in response.aiter_bytes():
                        self.begun.set()
                        content += piece
            except httpx.HTTPError:
                return "a cut connection"
        return seen(httpx.Response(response.status_code, headers=response.headers, content=content))


Does = Callable[[Answering], Awaitable[None]]


async def kill(answering: Answering) -> None:
    answering.place.signal(signal.SIGKILL)


async def stop(answering: Answering) -> None:
    answering.place.signal(signal.SIGTERM)


async def stop_and_go_on(answering: Answering) -> None:
    answering.place.signal(signal.SIGTERM)
    answering.goes_on.set()


async def end(answering: Answering) -> None:
    """The store is away when the answer ends; the process is killed once the caller has it."""
    answering.place.store.fail("resets the connection")
    answering.goes_on.set()


STAGES: dict[str, Does] = {
    "is killed before the provider has answered": kill,
    "is killed in mid-stream": kill,
    "is killed after the answer, before the store has taken its settlement": end,
    "is told to stop while the provider thinks": stop_and_go_on,
    "is told to stop in mid-stream": stop_and_go_on,
    "make run is told to stop while the provider thinks": stop,
    "make run is told to stop in mid-stream": stop,
}


async def outcome(row: Row, place: Place, client: DynamoDBClient, table: str) -> tuple[str, str]:
    """What was seen, and what is billed in the end."""
    before = await usage_today(client, table, place.account_id)
    silent = "mid-stream" not in row.fault
    answering = Answering(place, row.streams, silent)
    asking = asyncio.create_task(answering.sees())
    await answering.waits.wait()
    if not silent:
        await answering.begun.wait()
    await STAGES[row.fault](answering)
    saw = await asking
    if "after the answer" in row.fault:
        place.signal(signal.SIGKILL)
        await place.store.well()
    with suppress(KeyError):  # where nothing is held any more
        await asyncio.to_thread(expire_holds, client, table, place.account_id)
    await asyncio.to_thread(place.idle)
    requests, used = await usage_today(client, table, place.account_id)
    if requests == before[0]:
        return saw, "nothing"
    assert requests == before[0] + 1
    read, written = (
        used.input_tokens - before[1].input_tokens,
        used.output_tokens - before[1].output_tokens,
    )
    return saw, f"{read} + {written}"


def expected(of: list[Row]) -> dict[str, tuple[str, str]]:
    return {row.id: (row.sees, row.billed) for row in of}


async def test_of_the_deployed_shape(
    dynamodb: DynamoDBClient, losi_table: str, tmp_path: Path
) -> None:
    async with scenarios.front_door(dynamodb, losi_table, tmp_path, processes=1) as place:
        found = {row.id: await outcome(row, place, dynamodb, losi_table) for row in DEPLOYED}

    assert found == expected(DEPLOYED)


async def test_of_make_run(dynamodb: DynamoDBClient, losi_table: str, tmp_path: Path) -> None:
    found: dict[str, Any] = {}
    for row in RUN_HERE:  # each ends its server
        async with scenarios.make_run(dynamodb, losi_table, tmp_path) as place:
            found[row.id] = await outcome(row, place, dynamodb, losi_table)

    assert found == expected(RUN_HERE)


def test_every_stage_has_its_rows() -> None:
    assert {row.fault for row in [*DEPLOYED, *RUN_HERE]} == {*STAGES}
