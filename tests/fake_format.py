"""What a format made for a test has in common: it answers calls, one exchange after the other."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

from losi.upstream.batch import Batch, each
from losi.upstream.format import UpstreamCall
from tests.loose import Json


class Answers(Protocol):
    async def complete(self, call: UpstreamCall) -> Json: ...

    def stream(self, call: UpstreamCall) -> AsyncGenerator[Json]: ...


@dataclass(frozen=True)
class FakeExchange:
    _answers: Answers
    _call: UpstreamCall
    left_out: frozenset[str] = field(default=frozenset())
    mapped: frozenset[str] = field(default=frozenset())

    async def complete(self) -> Json:
        return await self._answers.complete(self._call)

    async def stream(self) -> AsyncGenerator[Batch]:
        async with aclosing(self._answers.stream(self._call)) as chunks:
            async for chunk in chunks:
                yield [chunk]


async def chunks_of(batches: AsyncGenerator[Batch]) -> AsyncGenerator[Json]:
    """The chunks of a stream, one by one."""
    async with aclosing(batches):
        async for batch in batches:
            for chunk in each(batch):
                yield chunk
