"""What one read of an upstream brought, which goes on as one: chunks, and runs of text.

Most of what a model says are chunks that differ in their text alone. Such a run is passed on as one
object: whoever has nothing to do with each text pays for the run once. `each` undoes it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import orjson

from losi.wire import Json


@dataclass(frozen=True, slots=True)
class TextRun:
    """Chunks that are `like` one that came before, but for the text in the delta of its choice."""

    like: Json
    #: The texts as they stand in JSON strings, without the quotes.
    raw: list[bytes]
    characters: int

    def chunks(self) -> list[Json]:
        return [with_text(self.like, text) for text in texts(self.raw)]


Batch: TypeAlias = Sequence[Json | TextRun]


def texts(raw: list[bytes]) -> list[str]:
    """What the insides of JSON strings say. Raises ValueError where one is no such inside."""
    found: list[str] = orjson.loads(b'["' + b'","'.join(raw) + b'"]')
    if len(found) != len(raw):  # one of them held a quote of its own
        raise ValueError("not the inside of a string")
    return found


def with_text(chunk: Json, text: str) -> Json:
    (choice,) = chunk["choices"]
    return {**chunk, "choices": [{**choice, "delta": {**choice["delta"], "content": text}}]}


def each(batch: Batch) -> Iterator[Json]:
    """The chunks, one by one."""
    for item in batch:
        if isinstance(item, TextRun):
            yield from item.chunks()
        else:
            yield item
