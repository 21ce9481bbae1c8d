"""The caller's output limit, where the upstream was given a larger one to think in: the text is cut
where it ends. Pure but for the exchange that it wraps.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from losi.metering.usage import CHARACTERS_PER_TOKEN
from losi.upstream.batch import Batch, each
from losi.upstream.format import Around, Exchange

if TYPE_CHECKING:
    from losi.wire.chat import AnswerMessage, Choice, Chunk, ChunkChoice, Completion, Delta


class LimitedText(Around):
    """An exchange whose texts are cut at a number of tokens; four bytes of UTF-8 count as a token.

    The answer is read to its end, because the upstream reports its usage there.
    """

    def __init__(self, exchange: Exchange, tokens: int) -> None:
        super().__init__(exchange)
        self._bytes = CHARACTERS_PER_TOKEN * tokens

    async def complete(self) -> Completion:
        answer = await self._exchange.complete()
        for choice in answer["choices"]:
            self._cut(choice, choice["message"], self._bytes)
        return answer

    async def stream(self) -> AsyncGenerator[Batch]:
        left: dict[int, int] = {}
        async with aclosing(self._exchange.stream()) as batches:
            async for batch in batches:
                if cut := [one for chunk in each(batch) if (one := self._limited(chunk, left))]:
                    yield cut

    def _limited(self, chunk: Chunk, left: dict[int, int]) -> Chunk | None:
        """What remains of a chunk. `left`: the bytes that each choice may still have, -1 once it
        has ended.
        """
        choices = [choice for choice in chunk["choices"] if left.get(choice.get("index", 0)) != -1]
        for choice in choices:
            index = choice.get("index", 0)
            delta: Delta = {**choice["delta"]}
            choice["delta"] = delta
            left[index] = self._cut(choice, delta, left.get(index, self._bytes))
        return {**chunk, "choices": choices} if choices or chunk.get("usage") else None

    def _cut(self, choice: Choice | ChunkChoice, message: AnswerMessage | Delta, left: int) -> int:
        """Cut a choice's text to that many bytes. Returns how many are left, or -1 if the choice
        has ended.
        """
        text = (message.get("content") or "").encode(errors="surrogatepass")
        if len(text) <= left:
            return left - len(text)
        message["content"] = text[:left].decode(errors="ignore")
        message.pop("tool_calls", None)
        choice["finish_reason"] = "length"
        return -1
