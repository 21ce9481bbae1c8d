"""OpenAI's chat completions as a client reads them."""

from __future__ import annotations

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


class EventStream:
    """Writes a completion's chunks as server-sent events: those that came together as one piece,
    then the usage where it was asked for, and [DONE].

    A stream that failed ends with the error instead: a broken answer must not look whole.
    """

    def __init__(self, *, include_usage: bool) -> None:
        self._include_usage = include_usage
        self._like: Chunk = {"choices": []}
        #: What stands before and after the text of each chunk like `_like`: written once.
        self._around: list[bytes] = []

    def written(self, item: Batch | End) -> bytes:
        if not isinstance(item, End):
            return b"".join(
                [self._run(one) if isinstance(one, TextRun) else event(one) for one in item]
            )
        if item.failure is not None:
            return error_event(item.failure)
        usage = event(item.usage_chunk) if self._include_usage else b""
        return usage + DONE

    def _run(self, run: TextRun) -> bytes:
        if run.like is not self._like:
            self._like = run.like
            self._around = event(with_text(run.like, _TEXT)).split(_TEXT.encode())
        if len(self._around) != 2:  # the upstream says that very text somewhere else
            return b"".join(map(event, run.chunks()))
        before, after = self._around
        return before + (after + before).join(run.raw) + after
