"""Invocations, as many at once as there are pollers; what ends them, and what they leave."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import Any

import pytest

from losi.aws.runtime import pollers
from losi.aws.runtime.event import MalformedEventError
from losi.aws.runtime.logs import invocation
from losi.aws.runtime.pollers import Pollers
from losi.aws.runtime.runtime_api import LambdaContext, RuntimeApiError
from losi.config import Config

EVENT = json.dumps({"httpMethod": "GET", "path": "/"}).encode()


class Api:
    """Gives these payloads, one a poll; after them an exception, or it waits for ever."""

    address = "127.0.0.1:1"

    def __init__(self, *payloads: bytes | Exception) -> None:
        self._payloads = list(payloads)
        self.waiting = 0
        self.all_wait = asyncio.Event()
        self.reports: list[tuple[str, ...]] = []

    async def next_invocation(self) -> tuple[LambdaContext, bytes]:
        if not self._payloads:
            self.waiting += 1
            self.all_wait.set()
            await asyncio.Event().wait()
        payload = self._payloads.pop(0)
        if isinstance(payload, Exception):
            raise payload
        headers = {
            "lambda-runtime-aws-request-id": f"id-{len(self._payloads)}",
            "lambda-runtime-deadline-ms": "0",
        }
        return LambdaContext(headers, Config()), payload

    async def report_error(self, *report: str) -> None:
        self.reports.append(report)


class Served:
    def __init__(self) -> None:
        self.ids: list[str] = []
        self.at_once = self.most = 0
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def serve(
        self, app: Any, connections: Any, context: LambdaContext, payload: bytes
    ) -> None:
        assert invocation.get() is context, "its log lines have its id"
        if payload != EVENT:
            raise MalformedEventError("no event")
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await self.go_on.wait()
        self.at_once -= 1
        self.ids.append(context.aws_request_id)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    made = Served()
    monkeypatch.setattr(pollers, "serve", made.serve)
    return made


def running(api: Api, count: int = 1) -> asyncio.Task[None]:
    made = Pollers(None, api, count)  # type: ignore[arg-type]
    return asyncio.create_task(made.run())


async def test_one_serves_after_another_until_the_process_is_stopped(served: Served) -> None:
    api = Api(EVENT, EVENT, EVENT)
    run = running(api)
    await api.all_wait.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    await run

    assert served.ids == ["id-2", "id-1", "id-0"]
    assert served.most == 1


async def test_several_serve_at_once_and_who_is_busy_ends_its_answer(served: Served) -> None:
    api = Api(EVENT, EVENT)
    served.go_on.clear()
    run = running(api, 3)
    await api.all_wait.wait()  # the third has nothing to do
    for _ in range(5):
        await asyncio.sleep(0)
    assert (served.most, api.waiting) == (2, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not run.done()
    served.go_on.set()
    await run

    assert len(served.ids) == 2
    assert api.waiting == 1, "nobody asked for more"


async def test_what_is_no_event_is_reported_and_the_next_is_served(served: Served) -> None:
    api = Api(b"{}", EVENT, RuntimeApiError("refused"))
    with pytest.raises(RuntimeApiError, match="refused"):
        await running(api)

    assert api.reports == [("/invocation/id-2/error", "MalformedEventError", "no event")]
    assert served.ids == ["id-1"]


async def test_a_refusal_ends_all_after_the_answers_that_have_begun(served: Served) -> None:
    api = Api(EVENT, RuntimeApiError("refused"))
    served.go_on.clear()
    run = running(api, 3)
    for _ in range(9):
        await asyncio.sleep(0)
    assert not run.done()
    served.go_on.set()

    with pytest.raises(RuntimeApiError, match="refused"):
        await run
    assert len(served.ids) == 1
