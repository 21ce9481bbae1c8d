"""An upstream that is asked for what it can only be asked for in words, and what it answers."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from losi.catalogue.models import Route
from losi.catalogue.providers import Provider
from losi.catalogue.row import Combination
from losi.config import Config
from losi.errors import UpstreamError
from losi.upstream.format import Format, UpstreamCall
from losi.upstream.registry import Registry
from losi.upstream.routing import ChatRouter, Job, Prepared
from tests.catalogue import PROVIDERS
from tests.fake_format import FakeExchange, chunks_of
from tests.loose import Json

Step = Json | UpstreamError
WEATHER = {"type": "function", "function": {"name": "weather"}}
TIME = {"type": "function", "function": {"name": "time"}}
NAMED = {"type": "function", "function": {"name": "weather"}}
SYSTEM = {"role": "system", "content": "Be brief."}
USER = {"role": "user", "content": "Rome?"}


def calls(*names: str) -> Json:
    made = [
        {"id": n, "type": "function", "function": {"name": n, "arguments": "{}"}} for n in names
    ]
    return {"message": {"content": None, "tool_calls": made}, "finish_reason": "tool_calls"}


def answering(text: str, finish: str = "stop") -> Json:
    return {"message": {"content": text}, "finish_reason": finish}


class Upstream(Registry[Format]):
    """Answers with one choice a call; `mapped` are parameters that it says in another way."""

    def __init__(self, *steps: Step, mapped: tuple[str, ...] = ()) -> None:
        super().__init__({}, Config())
        self.steps = list(steps)
        self.mapped = frozenset(mapped)
        self.sent: list[Json] = []

    def upstream(self, provider: Provider, *, refresh: bool = False) -> Format:
        return self

    def prepare(self, call: UpstreamCall) -> FakeExchange:
        return FakeExchange(self, call, mapped=self.mapped)

    async def complete(self, call: UpstreamCall) -> Json:
        self.sent.append(call.body)
        step = self.steps.pop(0)
        if isinstance(step, UpstreamError):
            raise step
        return {"choices": [{"index": 0, **step}]}

    async def stream(self, call: UpstreamCall) -> AsyncGenerator[Json]:
        [choice] = (await self.complete(call))["choices"]
        yield {"choices": [{"index": 0, "delta": choice["message"], "finish_reason": None}]}
        finish = choice["finish_reason"]
        yield {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
        yield {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}


@dataclass
class Routed:
    upstream: Upstream
    job: Job

    async def plain(self) -> tuple[Json, Any]:
        return await ChatRouter(self.upstream, sleep=at_once).complete(self.job)

    async def chunks(self) -> AsyncGenerator[Json]:
        batches, _ = await ChatRouter(self.upstream, sleep=at_once).stream(self.job)
        async for chunk in chunks_of(batches):
            yield chunk


async def at_once(_: float) -> None: ...


def ask(
    upstream: Upstream, *, routes: int = 1, refuses: Combination = "forced_tools", **body: Any
) -> Routed:
    whole: Json = {"messages": [SYSTEM, USER], "tools": [WEATHER, TIME], **body}
    refusing = Route(provider=PROVIDERS["anthropic"], model="m", refuses=frozenset({refuses}))
    deadline = asyncio.get_running_loop().time() + 60
    made = Job("m", [refusing] * routes, lambda _: Prepared(whole, ()), whole, "req_1", deadline)
    return Routed(upstream, made)


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 9}}}
BY_SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
