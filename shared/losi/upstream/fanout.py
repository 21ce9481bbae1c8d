"""`n` > 1 for providers that give one completion at a time: n calls side by side, merged."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from losi.metering.usage import Usage, from_openai
from losi.upstream.format import Exchange, Format, UpstreamCall
from losi.wire import Json


def prepare(upstream: Format, call: UpstreamCall) -> Exchange:
    """The exchange for a call; n side by side where the provider does not take `n` itself."""
    if call.route.provider.native_n:
        return upstream.prepare(call)
    body = dict(call.body)
    n = body.pop("n", None) or 1
    single = upstream.prepare(replace(call, body=body))
    return single if n == 1 else FanOut(single, n)


class FanOut:
    """An exchange held n times. When one call fails, so do all, with the first error.

    Usage is the sum of the calls', prompt included: that is what the provider bills.
    """

    def __init__(self, single: Exchange, n: int) -> None:
        self._single = single
        self._n = n

    @property
    def left_out(self) -> frozenset[str]:
        return self._single.left_out

    @property
    def mapped(self) -> frozenset[str]:
        return self._single.mapped

    async def complete(self) -> Json:
        tasks = [asyncio.ensure_future(self._single.complete()) for _ in range(self._n)]
        try:
            answers = await asyncio.gather(*tasks)
        finally:
            await _cancel(tasks)
        merged = dict(answers[0])
        merged["choices"] = [
            {**choice, "index": index}
            for index, answer in enumerate(answers)
            for choice in answer["choices"][:1]
        ]
        merged["usage"] = _sum([answer.get("usage") for answer in answers])
        return merged

    async def stream(self) -> AsyncGenerator[Json]:
        # room for a few chunks of each: a slow reader holds back the providers, not our memory
        queue: asyncio.Queue[Json | BaseException | None] = asyncio.Queue(maxsize=4 * self._n)
        usages: list[Json | None] = [None] * self._n
        identity: Json = {}

        async def pump(index: int) -> None:
            try:
                async with aclosing(self._single.stream()) as chunks:
                    async for chunk in chunks:
                        usages[index] = chunk.pop("usage", None) or usages[index]
                        for choice in chunk["choices"]:
                            choice["index"] = index
                            choice["delta"].pop("role", None)
                        if chunk["choices"]:
                            await queue.put(chunk)
                await queue.put(None)
            except Exception as error:
                await queue.put(error)

        tasks = [asyncio.create_task(pump(index)) for index in range(self._n)]
        running = self._n
        try:
            while running:
                item = await queue.get()
                if isinstance(item, BaseException):
                    raise item
                if item is None:
                    running -= 1
                else:
                    if not identity:
                        yield _opening(item, self._n)
                    identity = item
                    yield item
            if (total := _sum(usages)) is not None:
                yield {**identity, "choices": [], "usage": total}
        finally:
            await _cancel(tasks)


def _opening(chunk: Json, n: int) -> Json:
    """All choices in order: OpenAI's Python SDK cannot add up a stream that begins with another."""
    delta = {"role": "assistant"}
    choices = [
        {"index": index, "delta": delta, "finish_reason": None, "logprobs": None}
        for index in range(n)
    ]
    return {**chunk, "choices": choices}


def _sum(usages: list[Json | None]) -> Json | None:
    """Summed usage, or None (to be estimated) unless every call told its own."""
    known = [usage for reported in usages if (usage := from_openai(reported)) is not None]
    if len(known) < len(usages):
        return None
    return sum(known, Usage(0, 0)).to_openai()


async def _cancel(tasks: list[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
