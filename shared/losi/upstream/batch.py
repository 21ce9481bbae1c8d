"""What one read of an upstream brought, which goes on as one: chunks, and runs of text.

Most of what a model says are chunks that differ in one text alone: of the answer, of a thought, or
of a call's arguments. Such a run is passed on as one object: whoever has nothing to do with each
text pays for the run once. `each` undoes it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import orjson

from losi.wire import Json


@dataclass(frozen=True, slots=True)
class TextRun:
    """Chunks that are `like` one that came before, but for the text that it says."""

    like: Json
    #: The texts as they stand in JSON strings, without the quotes.
    raw: list[bytes]
    characters: int

    def chunks(self) -> list[Json]:
        return [with_text(self.like, text) for text in texts(self.raw)]


Batch: TypeAlias = Sequence[Json | TextRun]
#: Fields of a delta that are pieces of a text.
_TEXTS = ("content", "reasoning_content", "reasoning")


def texts(raw: list[bytes]) -> list[str]:
    """What the insides of JSON strings say. Raises ValueError where one is no such inside."""
    found: list[str] = orjson.loads(b'["' + b'","'.join(raw) + b'"]')
    if len(found) != len(raw):  # one of them held a quote of its own
        raise ValueError("not the inside of a string")
    return found


def only_text(chunk: Json) -> str | None:
    """The text that is all that a chunk says; None where it says more, or something else."""
    choices = chunk["choices"]
    if len(choices) != 1 or choices[0].get("finish_reason") or chunk.get("usage"):
        return None
    said = [(name, value) for name, value in choices[0]["delta"].items() if value is not None]
    if len(said) != 1:
        return None
    ((name, value),) = said
    if name == "tool_calls" and len(value) == 1 and value[0].keys() == {"index", "function"}:
        function = value[0]["function"]
        return function["arguments"] if function.keys() == {"arguments"} else None
    return value if name in _TEXTS else None


def with_text(chunk: Json, text: str) -> Json:
    """A chunk that says one text alone, with another one in its place."""
    (choice,) = chunk["choices"]
    delta = choice["delta"]
    if delta.get("tool_calls"):
        (call,) = delta["tool_calls"]
        said: Json = {"tool_calls": [{**call, "function": {"arguments": text}}]}
    else:
        said = {next(name for name in _TEXTS if delta.get(name) is not None): text}
    return {**chunk, "choices": [{**choice, "delta": {**delta, **said}}]}


def each(batch: Batch) -> Iterator[Json]:
    """The chunks, one by one."""
    for item in batch:
        if isinstance(item, TextRun):
            yield from item.chunks()
        else:
            yield item
