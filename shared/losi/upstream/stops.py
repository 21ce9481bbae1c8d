"""Stop sequences that a provider does not take: the answer is cut where they begin. Pure but for
the exchange that it wraps.

OpenAI stops at any text, white space too. Claude refuses sequences of white space alone
(https://github.com/BerriAI/litellm/issues/3286), and models that reason refuse `stop` at all
(https://github.com/openai/openai-openapi, `StopConfiguration`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from losi.upstream.batch import Batch, each
from losi.upstream.format import Around, Exchange, Prepare, UpstreamCall

if TYPE_CHECKING:
    from losi.wire.chat import Chunk, ChunkChoice, Completion, Delta, Request


def prepare(inner: Prepare, call: UpstreamCall) -> Exchange:
    """The exchange for a call with stop sequences: the provider stops there, or we do."""
    given = call.body.get("stop") or []
    sequences = [given] if isinstance(given, str) else list(given)
    cut = [sequence for sequence in sequences if not _takes(call, sequence)]
    if not cut:
        return inner(call)
    body: Request = {**call.body}
    body.pop("stop", None)
    if sent := [sequence for sequence in sequences if sequence not in cut]:
        body["stop"] = sent
    return CutShort(inner(replace(call, body=body)), cut, call.body.get("n") or 1)


def _takes(call: UpstreamCall, sequence: str) -> bool:
    provider = call.route.provider
    refused = call.route.unsupported_parameters | provider.unsupported(["stop"])
    return "stop" not in refused and (provider.blank_stops or bool(sequence.strip()))


class CutShort(Around):
    """An exchange whose answers end before the first of some sequences."""

    def __init__(self, exchange: Exchange, sequences: Sequence[str], n: int) -> None:
        super().__init__(exchange)
        self._sequences = sequences
        self._n = n

    async def complete(self) -> Completion:
        answer = await self._exchange.complete()
        for choice in answer["choices"]:
            message = choice["message"]
            text = _Text(self._sequences)
            passed = text.take(message.get("content") or "")
            if text.ended:  # the caller wants nothing after it
                message["content"] = passed
                message.pop("tool_calls", None)
                choice["finish_reason"] = "stop"
        return answer

    async def stream(self) -> AsyncGenerator[Batch]:
        """Ends once every choice has: nobody waits for, or pays, what is not passed on."""
        texts: dict[int, _Text] = {}
        async with aclosing(self._exchange.stream()) as batches:
            async for batch in batches:
                if cut := [one for chunk in each(batch) if (one := self._cut(chunk, texts))]:
                    yield cut
                if sum(text.ended for text in texts.values()) == self._n:
                    return

    def _cut(self, chunk: Chunk, texts: dict[int, _Text]) -> Chunk | None:
        """What remains of a chunk."""
        choices = [choice for choice in chunk["choices"] if not _ended(texts, choice)]
        for choice in choices:
            _cut(choice, texts.setdefault(choice.get("index", 0), _Text(self._sequences)))
        return {**chunk, "choices": choices} if choices or chunk.get("usage") else None


def _ended(texts: dict[int, _Text], choice: ChunkChoice) -> bool:
    text = texts.get(choice.get("index", 0))
    return text is not None and text.ended


def _cut(choice: ChunkChoice, text: _Text) -> None:
    delta: Delta = {**choice["delta"]}
    choice["delta"] = delta
    passed = text.take(delta.get("content") or "")
    if text.ended:
        delta.pop("tool_calls", None)
        choice["finish_reason"] = "stop"
    elif choice.get("finish_reason") or delta.get("tool_calls"):
        passed += text.rest()
    if passed or "content" in delta:
        delta["content"] = passed


class _Text:
    """Text of which the end is held back while it may be the beginning of a sequence."""

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = sequences
        self._held = ""
        self.ended = False

    def take(self, more: str) -> str:
        """Return the text that can be sent now."""
        text = self._held + more
        starts = [at for sequence in self._sequences if (at := text.find(sequence)) >= 0]
        if starts:
            self.ended, self._held = True, ""
            return text[: min(starts)]
        held = max(_overlap(text, sequence) for sequence in self._sequences)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def rest(self) -> str:
        """Return the text that was held back, as nothing follows."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, sequence: str) -> int:
    """How many characters at the text's end begin the sequence."""
    longest = min(len(text), len(sequence) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(sequence[:n])), 0)
