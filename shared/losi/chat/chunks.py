"""Gives answers our id and the public model name, and computes their usage; the rest passes
through.

A role is sent once, because SDKs concatenate it ("assistantassistant"). Usage is sent last, because
a chunk after it would lose it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeVar, cast

from losi.metering.estimate import estimated, produced_characters
from losi.metering.usage import MAX_TOKENS, Usage, clamped, from_openai
from losi.upstream.batch import Batch, TextRun, with_text

if TYPE_CHECKING:
    from losi.wire.chat import Choice, Chunk, ChunkChoice, Completion
    from losi.wire.chat import Usage as OpenAIUsage

D = TypeVar("D", bound=Mapping[str, object])

#: Fields of chunks that concern the whole answer.
_OF_ALL: tuple[Literal["system_fingerprint", "service_tier"], ...] = (
    "system_fingerprint",
    "service_tier",
)
#: Fields of a message that OpenAI's types have as absent, never as null.
_NEVER_NULL: tuple[Literal["tool_calls", "function_call", "audio"], ...] = (
    "tool_calls",
    "function_call",
    "audio",
)
_FIGURES: tuple[Literal["prompt_tokens", "completion_tokens", "total_tokens"], ...] = (
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
)


@dataclass(frozen=True, slots=True)
class TokenBounds:
    """One call to a provider, in tokens: the estimated prompt, and upper bounds for what the
    provider may report as input and output.
    """

    input_tokens: int
    most_input: int = MAX_TOKENS
    most_output: int = MAX_TOKENS

    def estimate(self, characters: int) -> Usage:
        return estimated(
            input_tokens=self.input_tokens, characters=characters, most_output=self.most_output
        )

    def reported(self, theirs: object, calls: int = 1) -> Usage | None:
        """The provider's usage of `calls` calls, clamped to the bounds; None if it reports none."""
        usage = _reported_usage(theirs)
        return usage and clamped(usage, calls * self.most_input, calls * self.most_output)


class ChunkStream:
    """One streamed completion: rewrites each chunk, and computes the usage at the end.

    `public(chunk)` returns what to send, or None for a chunk without choices. `usage_chunk` makes
    the last chunk, for callers who asked for it.
    """

    def __init__(
        self,
        completion_id: str,
        created: int,
        model: str,
        *,
        include_usage: bool,
        bounds: TokenBounds,
        prompts: int = 1,
    ) -> None:
        """`prompts`: the number of calls to the provider; `bounds` describes each of them."""
        self._identity: Chunk = {
            "choices": [],
            "id": completion_id,
            "object": "chat.completion.chunk",
            "created": created,
            "model": model,
        }
        self._include_usage = include_usage
        self._bounds = bounds
        self._prompts = prompts
        #: By number of the call; a provider that takes `n` itself is called once, as number 0.
        self._characters: dict[int, int] = {}
        #: Reported usage by number of the call; under None that of the whole answer.
        self._reported: dict[int | None, OpenAIUsage] = {}
        self._begun: set[int] = set()  # choices whose role was sent
        #: The template of the latest run of text, and its public form.
        self._like: tuple[Chunk, Chunk] = ({"choices": []}, {"choices": []})
        #: What the provider's chunks say about the whole answer, for the usage chunk.
        self._of_all: Chunk = {"choices": []}

    @property
    def produced(self) -> bool:
        """Whether the provider produced anything that must be paid for."""
        return any(self._characters.values()) or bool(self._reported)

    @property
    def usage(self) -> Usage:
        """The provider's figures where it gave them; the rest is estimated, and marked as such."""
        return self._usage_of(range(self._prompts))

    @property
    def broken_off_usage(self) -> Usage:
        """The same, of only those calls that produced or reported something."""
        return self._usage_of({*self._reported, *self._characters} - {None})

    def _usage_of(self, calls: Collection[int | None]) -> Usage:
        if None in self._reported:
            spoken = sum(self._characters.values())
            return self._completed(self._reported[None], spoken, calls=self._prompts)
        figures = (
            self._completed(self._reported.get(n), self._characters.get(n or 0, 0)) for n in calls
        )
        return sum(figures, Usage(0, 0))

    def _completed(self, theirs: object, characters: int, calls: int = 1) -> Usage:
        estimate = self._bounds.estimate(characters)
        reported = self._bounds.reported(theirs, calls)
        if reported is None:
            return estimate
        if not reported.output_tokens and characters:  # it broke off before it reported its output
            return replace(reported, output_tokens=estimate.output_tokens, estimated=True)
        return reported

    def batch(self, batch: Batch) -> Batch:
        """The public form of a batch of chunks."""
        return [public for item in batch if (public := self._item(item)) is not None]

    def _item(self, item: Chunk | TextRun) -> Chunk | TextRun | None:
        if not isinstance(item, TextRun):
            return self.public(item)
        if item.like is not self._like[0]:
            public = self.public(with_text(item.like, ""))
            assert public is not None  # it has a choice
            self._like = item.like, public
        index = item.like["choices"][0]["index"]
        call = index if self._prompts > 1 else 0
        self._characters[call] = self._characters.get(call, 0) + item.characters
        return TextRun(self._like[1], item.raw, item.characters)

    def public(self, chunk: Chunk) -> Chunk | None:
        # a provider that repeats its figures counts cumulatively: keep the highest
        theirs, call = chunk.pop("usage", None), chunk.pop("choice", None)
        if theirs is not None and _reported_usage(theirs) is not None:
            self._reported[call] = _merged_figures(self._reported.get(call), theirs)
        choices = [choice for choice in chunk["choices"] if isinstance(choice, dict)]
        for name in _OF_ALL:
            if name in chunk:
                self._of_all[name] = chunk[name]
        if not choices:  # Azure's filter results, for instance; clients index `choices[0]`
            if "obfuscation" in chunk:  # each chunk has its own
                self._of_all["obfuscation"] = chunk["obfuscation"]
            return None
        chunk = {**chunk, **self._identity}
        if self._include_usage:
            chunk["usage"] = None
        for position, choice in enumerate(choices):
            index = choice["index"] = _index(choice, position)
            self._say_role_once(index, choice)
            call = index if self._prompts > 1 else 0
            produced = produced_characters(choice["delta"])
            self._characters[call] = self._characters.get(call, 0) + produced
        chunk["choices"] = choices
        return chunk

    def _say_role_once(self, index: int, choice: ChunkChoice) -> None:
        choice.setdefault("finish_reason", None)
        if index in self._begun:
            choice["delta"].pop("role", None)
        else:
            choice["delta"]["role"] = "assistant"
            self._begun.add(index)

    def usage_chunk(self) -> Chunk:
        usage = openai_usage(self._reported.get(None), self.usage)
        return {**self._of_all, **self._identity, "usage": usage}


def _index(numbered: Choice | ChunkChoice, otherwise: int) -> int:
    index = numbered.get("index")
    return index if isinstance(index, int) else otherwise


def public_completion(
    answer: Completion, completion_id: str, created: int, model: str
) -> Completion:
    """A plain answer with our id and the public model name, completed as the SDKs' types
    require.
    """
    answer = {
        **answer,
        "id": completion_id,
        "object": "chat.completion",
        "created": created,
        "model": model,
    }
    for position, choice in enumerate(answer["choices"]):
        choice["index"] = _index(choice, position)
        choice["finish_reason"] = choice.get("finish_reason") or "stop"
        choice.setdefault("logprobs", None)
        for name in _NEVER_NULL:
            if choice["message"].get(name, name) is None:
                del choice["message"][name]
        choice["message"]["role"] = "assistant"
        choice["message"].setdefault("content", None)
        choice["message"].setdefault("refusal", None)
    return answer


def completion_usage(answer: Completion, bounds: TokenBounds, calls: int = 1) -> Usage:
    """The provider's figures, or the estimate if it gave none.

    An answer put together from several calls has their sum, or the `usages` of its choices.
    """
    usages = answer.pop("usages", None)
    if usages is None:
        return _answer_usage(answer["choices"], answer.get("usage"), bounds, calls)
    each = zip(answer["choices"], usages, strict=True)
    return sum((_answer_usage([choice], usage, bounds) for choice, usage in each), Usage(0, 0))


def _answer_usage(
    choices: list[Choice], theirs: object, bounds: TokenBounds, calls: int = 1
) -> Usage:
    if (reported := bounds.reported(theirs, calls)) is not None:
        return reported
    return bounds.estimate(sum(produced_characters(choice["message"]) for choice in choices))


def _reported_usage(theirs: object) -> Usage | None:
    """The provider's figures; None if they are missing or all zero, because no request uses
    nothing.
    """
    reported = from_openai(theirs)
    return reported if reported and reported.total_tokens else None


def _merged_figures(before: OpenAIUsage | None, theirs: OpenAIUsage) -> OpenAIUsage:
    """Merge later figures into earlier ones; the three totals never fall."""
    if before is None:
        return theirs
    risen: OpenAIUsage = {**before, **theirs}
    for name in _FIGURES:
        both = (before.get(name), theirs.get(name))
        if known := [figure for figure in both if isinstance(figure, int | float)]:
            risen[name] = max(known)
    return risen


def openai_usage(theirs: OpenAIUsage | None, usage: Usage) -> OpenAIUsage:
    """The provider's own usage object, which may have details that we do not count, with our
    figures in it.

    A detail that the provider did not report is left out: a zero would say that it counted none.
    """
    ours, reported = usage.to_openai(), theirs if isinstance(theirs, dict) else {}
    read = _with_known(ours.pop("prompt_tokens_details", {}), reported.get("prompt_tokens_details"))
    if read:
        ours["prompt_tokens_details"] = read
    written = ours.pop("completion_tokens_details", {})
    if written := _with_known(written, reported.get("completion_tokens_details")):
        ours["completion_tokens_details"] = written
    return {**reported, **ours}


def _with_known(ours: D, theirs: object) -> D:
    """Merge our details over theirs; ours that are zero only if they reported the figure."""
    known = theirs if isinstance(theirs, dict) else {}
    counted = {name: value for name, value in ours.items() if value or name in known}
    return cast(D, {**known, **counted})
