"""`n` > 1 for providers that give one completion at a time: n calls side by side, merged.

Only a choice that failed is asked for again, at most `ATTEMPTS` times in all: so one request
causes at most `ATTEMPTS * n` calls on a route.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from losi.errors import Remedy, UpstreamError
from losi.metering.usage import DETAILS_OF, Usage, from_openai
from losi.upstream.backoff import pause_before_another
from losi.upstream.batch import Batch, each, says_something
from losi.upstream.format import Exchange, Prepare, UpstreamCall
from losi.wire import without

if TYPE_CHECKING:
    from losi.wire.chat import Chunk, ChunkChoice, Completion, Delta, Request
    from losi.wire.chat import Usage as OpenAIUsage

logger = logging.getLogger("losi.routes")

Sleep = Callable[[float], Awaitable[None]]


def prepare(inner: Prepare, call: UpstreamCall, sleep: Sleep = asyncio.sleep) -> Exchange:
    """The exchange for a call to a provider that does not accept `n` itself: n side by side."""
    body: Request = {**call.body}
    n = body.pop("n", None) or 1
    single = inner(replace(call, body=body))
    return single if n == 1 else FanOut(single, n, call, sleep)


class FanOut:
    """An exchange held n times. When a choice fails for good, so do all, with that error.

    What each call used is kept apart, by the number of its choice: the finished ones are paid for
    whatever becomes of the others.
    """

    def __init__(self, single: Exchange, n: int, call: UpstreamCall, sleep: Sleep) -> None:
        self._single = single
        self._n = n
        self._call = call
        self._sleep = sleep
        self._answers: dict[int, Completion] = {}

    @property
    def left_out(self) -> frozenset[str]:
        return self._single.left_out

    @property
    def mapped(self) -> frozenset[str]:
        return self._single.mapped

    @property
    def finished(self) -> list[Completion]:
        """The answers that are complete so far."""
        return list(self._answers.values())

    async def complete(self) -> Completion:
        """The merged answer, `usage` is the sum; where a call reported none, `usages` has each."""
        tasks = [asyncio.ensure_future(self._answer(index)) for index in range(self._n)]
        try:
            await asyncio.gather(*tasks)
        except UpstreamError as error:
            raise self._for_good(error) from error
        finally:
            await _cancel(tasks)
        answers = [self._answers[index] for index in range(self._n)]
        choices = [answer["choices"][0] for answer in answers]
        usages = [answer.get("usage") for answer in answers]
        for index, choice in enumerate(choices):
            choice["index"] = index
        merged: Completion = {**answers[0], "choices": choices}
        if (total := _sum(usages)) is not None:
            merged["usage"] = total
        else:
            merged.pop("usage", None)
            merged["usages"] = usages
        return merged

    async def stream(self) -> AsyncGenerator[Batch]:
        """The merged chunks. The last has the sum of the `usage`. Where a call reported none, or
        the stream breaks, each figure comes by itself with the number of its `choice`.
        """
        usages: dict[int, OpenAIUsage | None] = {}
        identity: Chunk = {"choices": []}
        begun = False
        try:
            async with aclosing(self._batches(usages)) as batches:
                async for batch in batches:
                    if not begun:
                        identity, begun = _of_all(next(each(batch))), True
                        yield [_opening(identity, self._n), *batch]
                    else:
                        yield batch
        except UpstreamError:
            if reported := _each(identity, usages):
                yield reported
            raise
        total = _sum([usages.get(index) for index in range(self._n)])
        whole: Chunk = {**identity, "choices": [], "usage": total}
        yield [whole] if total else _each(identity, usages)

    async def _batches(self, usages: dict[int, OpenAIUsage | None]) -> AsyncGenerator[Batch]:
        # room for a few batches of each: a slow reader slows down the providers and does not fill
        # our memory
        queue: asyncio.Queue[Batch | BaseException | None] = asyncio.Queue(maxsize=4 * self._n)
        tasks = [asyncio.create_task(self._pump(index, queue, usages)) for index in range(self._n)]
        running = self._n
        try:
            while running:
                item = await queue.get()
                if isinstance(item, UpstreamError):
                    raise self._for_good(item)
                if isinstance(item, BaseException):
                    raise item
                if item is None:
                    running -= 1
                else:
                    yield item
        finally:
            await _cancel(tasks)

    async def _answer(self, index: int) -> None:
        attempt = 0
        while True:
            try:
                self._answers[index] = await self._single.complete()
                return
            except UpstreamError as error:
                await self._pause(error, attempt)
                attempt += 1

    async def _pump(
        self,
        index: int,
        queue: asyncio.Queue[Batch | BaseException | None],
        usages: dict[int, OpenAIUsage | None],
    ) -> None:
        attempt, begun = 0, False
        while True:
            try:
                async with aclosing(self._single.stream()) as batches:
                    async for batch in batches:
                        chunks = [*each(batch)]
                        for chunk in chunks:
                            usages[index] = chunk.pop("usage", None) or usages.get(index)
                            begun = begun or says_something(chunk)
                            for choice in chunk["choices"]:
                                choice["index"] = index
                                choice["delta"].pop("role", None)
                        if said := [chunk for chunk in chunks if chunk["choices"]]:
                            await queue.put(said)
                await queue.put(None)
                return
            except UpstreamError as error:
                try:
                    if begun:
                        raise
                    error.spent = error.spent or usages.get(index)
                    await self._pause(error, attempt)
                    usages.pop(index, None)  # recorded; the next attempt's figures are separate
                except UpstreamError as failure:
                    await queue.put(failure)
                    return
                attempt += 1
            except Exception as error:
                await queue.put(error)
                return

    async def _pause(self, error: UpstreamError, attempt: int) -> None:
        """Wait before the choice is asked for again, or raise the error if it is not."""
        pause = pause_before_another(error, attempt)
        if pause is None:
            raise error
        logger.warning(
            "%s one choice on %s/%s failed and is asked for again: %s cost=%s",
            self._call.request_id,
            self._call.route.provider.id,
            self._call.route.model,
            error.code,
            from_openai(error.spent),
        )
        await self._sleep(pause)

    def _for_good(self, error: UpstreamError) -> UpstreamError:
        """The choice was asked for again already; and what others have said is not bought twice."""
        if self._answers:
            error.remedy = Remedy.NOTHING
        elif error.remedy is Remedy.SAME_ROUTE:
            error.remedy = Remedy.NEXT_ROUTE
        return error


def _of_all(chunk: Chunk) -> Chunk:
    """A chunk's fields about the whole answer: padding belongs to each chunk."""
    return without(chunk, ("obfuscation",))


def _opening(chunk: Chunk, n: int) -> Chunk:
    """All choices in order: OpenAI's Python SDK cannot add up a stream that begins with another."""
    delta: Delta = {"role": "assistant"}
    choices: list[ChunkChoice] = [
        {"index": index, "delta": delta, "finish_reason": None, "logprobs": None}
        for index in range(n)
    ]
    return {**chunk, "choices": choices}


def _each(identity: Chunk, usages: dict[int, OpenAIUsage | None]) -> list[Chunk]:
    return [
        {**identity, "choices": [], "usage": usage, "choice": index}
        for index, usage in sorted(usages.items())
        if usage is not None
    ]


def _sum(usages: list[OpenAIUsage | None]) -> OpenAIUsage | None:
    """The sum of all calls' usage; None unless every call reported its own."""
    known = [usage for reported in usages if (usage := from_openai(reported)) is not None]
    if len(known) < len(usages):
        return None
    details = [usage.get(name) for usage in usages if usage for name in DETAILS_OF]
    reported = set[str]().union(*(detail for detail in details if isinstance(detail, dict)))
    return sum(known, Usage(0, 0)).to_openai(reported)


async def _cancel(tasks: list[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
