"""What one read of an upstream brought, which goes on as one: chunks, and runs of text.

Most of what a model says are chunks that differ in one text alone: of the answer, of a thought, or
of a call's arguments. Such a run is passed on as one object: whoever has nothing to do with each
text pays for the run once. `each` undoes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import orjson

if TYPE_CHECKING:
    from losi.wire.chat import CallPiece, Chunk, Delta


@dataclass(slots=True)  # freezing it would double what making it costs
class TextRun:
    """Chunks that are `like` one that came before, but for the text that it says."""

    like: Chunk
    #: The texts as they are within JSON strings, without the quotes.
    raw: list[bytes]
    characters: int

    def chunks(self) -> list[Chunk]:
        return [with_text(self.like, text) for text in texts(self.raw)]


if TYPE_CHECKING:
    Batch: TypeAlias = Sequence[Chunk | TextRun]
else:
    Batch = Sequence
#: The fields of a delta that hold pieces of a text.
_TEXTS: tuple[Literal["content", "reasoning_content", "reasoning"], ...] = (
    "content",
    "reasoning_content",
    "reasoning",
)


def texts(raw: list[bytes]) -> list[str]:
    """Decode the insides of JSON strings. Raises ValueError if one is not the inside of a
    string.
    """
    found: list[str] = orjson.loads(b'["' + b'","'.join(raw) + b'"]')
    if len(found) != len(raw):  # a text contained a quote of its own
        raise ValueError("not the inside of a string")
    return found


def only_text(chunk: Chunk) -> str | None:
    """The text of a chunk that holds nothing else; None for any other chunk."""
    choices = chunk["choices"]
    if len(choices) != 1 or choices[0].get("finish_reason") or chunk.get("usage"):
        return None
    delta = choices[0]["delta"]
    said = [name for name, value in delta.items() if value is not None]
    if said == ["tool_calls"]:
        return _only_arguments(delta["tool_calls"])
    text = next((delta[name] for name in _TEXTS if said == [name]), None)
    return text if isinstance(text, str) else None


def _only_arguments(calls: list[CallPiece]) -> str | None:
    if len(calls) != 1 or calls[0].keys() != {"index", "function"}:
        return None
    function = calls[0]["function"]
    return function["arguments"] if function.keys() == {"arguments"} else None


def with_text(chunk: Chunk, text: str) -> Chunk:
    """A copy of a chunk that holds only a text, with another text in its place."""
    (choice,) = chunk["choices"]
    delta: Delta = {**choice["delta"]}
    if calls := delta.get("tool_calls"):
        (call,) = calls
        delta["tool_calls"] = [{**call, "function": {"arguments": text}}]
    else:
        delta[next(name for name in _TEXTS if delta.get(name) is not None)] = text
    return {**chunk, "choices": [{**choice, "delta": delta}]}


def each(batch: Batch) -> Iterator[Chunk]:
    """Yield the chunks one by one."""
    for item in batch:
        if isinstance(item, TextRun):
            yield from item.chunks()
        else:
            yield item


def says_something(chunk: Chunk) -> bool:
    """Whether a chunk has content. OpenAI's first chunk has a role and no words."""
    return any(map(_says_something, chunk["choices"]))


def _says_something(choice: Any) -> bool:
    if not isinstance(choice, dict):
        return False
    delta = choice.get("delta")
    said = delta if isinstance(delta, dict) else {}
    return bool(choice.get("finish_reason") or any(v for k, v in said.items() if k != "role"))
