"""Removes the code fence around JSON that was asked for in words. Pure except for the exchange that
it wraps.

A parser accepts no fence, but models write one in spite of the instruction.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from losi.upstream.batch import Batch, each
from losi.upstream.format import Around

if TYPE_CHECKING:
    from losi.wire.chat import Completion, Delta

_FENCED = re.compile(r"\s*```[a-zA-Z0-9]*[ \t]*\r?\n(.*?)\s*```\s*", re.DOTALL)
#: The beginning of a text that may still become the opening of a fence.
_MAYBE_OPENING = re.compile(r"\s*(`{0,2}|```[a-zA-Z0-9]*[ \t]*\r?)")
_OPENING = re.compile(r"\s*```[a-zA-Z0-9]*[ \t]*\r?\n")
#: JSON never ends like this: it is held back until more comes, and dropped if nothing does.
_MAYBE_CLOSING = re.compile(r"\s*`{0,3}\s*$")


def unfenced(text: str) -> str:
    """The content of a fence that is the whole text; any other text unchanged."""
    fenced = _FENCED.fullmatch(text)
    return fenced[1] if fenced else text


class Unfenced(Around):
    """An exchange whose texts have no fence around them."""

    async def complete(self) -> Completion:
        answer = await self._exchange.complete()
        for choice in answer["choices"]:
            if isinstance(text := choice["message"].get("content"), str):
                choice["message"]["content"] = unfenced(text)
        return answer

    async def stream(self) -> AsyncGenerator[Batch]:
        texts: dict[int, _Text] = {}
        async with aclosing(self._exchange.stream()) as batches:
            async for batch in batches:
                chunks = [*each(batch)]
                for choice in (choice for chunk in chunks for choice in chunk["choices"]):
                    text = texts.setdefault(choice.get("index", 0), _Text())
                    delta: Delta = {**choice["delta"]}
                    choice["delta"] = delta
                    passed = text.take(delta.get("content") or "")
                    if reason := choice.get("finish_reason"):
                        passed += text.rest(reason)
                    if passed or "content" in delta:
                        delta["content"] = passed
                yield chunks


class _Text:
    """The text of one choice as it comes."""

    def __init__(self) -> None:
        self._held = ""
        self._begun = False
        self._fenced = False

    def take(self, more: str) -> str:
        """Return the text that can be sent now."""
        text = self._held + more
        if not self._begun:
            if _MAYBE_OPENING.fullmatch(text):
                self._held = text
                return ""
            opening = _OPENING.match(text)
            self._begun, self._fenced = True, opening is not None
            text = text[opening.end() :] if opening else text
        if not self._fenced:
            self._held = ""
            return text
        closing = _MAYBE_CLOSING.search(text)
        end = closing.start() if closing else len(text)
        self._held = text[end:]
        return text[:end]

    def rest(self, finish_reason: str) -> str:
        """Return the text that was held back, without the end of a fence, as nothing follows."""
        held, self._held = self._held, ""
        closed = self._fenced and (held.strip() == "```" or finish_reason == "length")
        return "" if closed else held
