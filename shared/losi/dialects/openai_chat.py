"""OpenAI's chat completions as a client reads them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

import orjson

from losi.chat.completions import Completion, End
from losi.dialects.openai import DONE, error_event, event
from losi.upstream.batch import Batch, TextRun, with_text

if TYPE_CHECKING:
    from losi.wire.chat import Chunk

#: Stands for a text while what is around it is written.
_TEXT = "\ue000the text\ue000"


def render(completion: Completion) -> bytes:
    return orjson.dumps(completion.body)


async def frame(
    events: AsyncGenerator[Batch | End], *, include_usage: bool
) -> AsyncGenerator[bytes]:
    """Server-sent events: the chunks, those that came together as one piece, then the usage where
    it was asked for, and [DONE].

    A stream that failed ends with the error instead: a broken answer must not look whole.
    """
    runs = _Runs()
    async with aclosing(events):
        async for item in events:
            if not isinstance(item, End):
                yield b"".join(
                    [runs.written(one) if isinstance(one, TextRun) else event(one) for one in item]
                )
            elif item.failure is not None:
                yield error_event(item.failure)
            else:
                usage = event(item.usage_chunk) if include_usage else b""
                yield usage + DONE


class _Runs:
    """Writes runs of text: what is around the texts is written once."""

    def __init__(self) -> None:
        self._like: Chunk = {"choices": []}
        self._around: list[bytes] = []

    def written(self, run: TextRun) -> bytes:
        if run.like is not self._like:
            self._like = run.like
            self._around = event(with_text(run.like, _TEXT)).split(_TEXT.encode())
        if len(self._around) != 2:  # the upstream says that very text somewhere else
            return b"".join(map(event, run.chunks()))
        before, after = self._around
        return before + (after + before).join(run.raw) + after
