"""Token usage of one request, in the one shape that every provider's figures take, and its cost."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # so that the command line's help does not load pydantic
    from losi.catalogue.models import Prices
    from losi.wire import JsonObject
    from losi.wire.chat import PromptDetails
    from losi.wire.chat import Usage as OpenAIUsage

#: The specification's rule if a provider gives no figures: about four characters a token.
CHARACTERS_PER_TOKEN = 4

#: Larger than any real context window; larger figures are a provider's fault, and are clamped.
MAX_TOKENS = 10_000_000


#: The part of `cache_write_tokens` kept for an hour, which costs more. Not in OpenAI's usage.
HOUR_WRITES: Final = "cache_write_1h_tokens"
#: The objects with details in OpenAI's `usage`, and the details that it has itself.
DETAILS_OF: Final = ("prompt_tokens_details", "completion_tokens_details")
DETAILS = ("cached_tokens", "cache_write_tokens", "reasoning_tokens")


@dataclass(frozen=True, slots=True)
class Usage:
    """`input_tokens` includes cached and cache-write tokens, `output_tokens` includes reasoning
    tokens, and `cache_write_tokens` includes those kept for an hour.
    """

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    hour_write_tokens: int = 0
    estimated: bool = False

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.hour_write_tokens + other.hour_write_tokens,
            self.estimated or other.estimated,
        )

    def to_openai(self, reported: Collection[str] = DETAILS) -> OpenAIUsage:
        """OpenAI's `usage` object. A detail that is zero is left out unless it is in `reported`,
        the details that the provider reported.
        """
        usage: OpenAIUsage = {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": self.output_tokens,
            "total_tokens": self.total_tokens,
        }
        read: PromptDetails = {}
        if self.cached_tokens or "cached_tokens" in reported:
            read["cached_tokens"] = self.cached_tokens
        if self.cache_write_tokens or "cache_write_tokens" in reported:
            read["cache_write_tokens"] = self.cache_write_tokens
        if self.hour_write_tokens or HOUR_WRITES in reported:
            read[HOUR_WRITES] = self.hour_write_tokens
        if read:
            usage["prompt_tokens_details"] = read
        if self.reasoning_tokens or "reasoning_tokens" in reported:
            usage["completion_tokens_details"] = {"reasoning_tokens": self.reasoning_tokens}
        return usage


def from_openai(usage: object) -> Usage | None:
    """Parse OpenAI's `usage` object; None if it is missing or half of it is: that half would be
    given away, so all is estimated instead.

    Negative, absurd or non-integer figures are clamped to 0..MAX_TOKENS. If `total_tokens` exceeds
    the sum of its two parts, the difference counts as output, so that it is billed: Gemini's
    compatible endpoint leaves reasoning out of `completion_tokens`.
    """
    if not isinstance(usage, dict) or usage.get("prompt_tokens") is None:
        return None
    if usage.get("completion_tokens") is None and usage.get("total_tokens") is None:
        return None
    prompt = _count(usage.get("prompt_tokens"))
    total = _count(usage.get("total_tokens"))
    completion = max(_count(usage.get("completion_tokens")), total - prompt)
    prompt_details = _details(usage, "prompt_tokens_details")
    completion_details = _details(usage, "completion_tokens_details")
    written = min(prompt, _count(prompt_details.get("cache_write_tokens")))
    return Usage(
        input_tokens=prompt,
        output_tokens=completion,
        cached_tokens=min(prompt, _count(prompt_details.get("cached_tokens"))),
        cache_write_tokens=written,
        reasoning_tokens=min(completion, _count(completion_details.get("reasoning_tokens"))),
        hour_write_tokens=min(written, _count(prompt_details.get(HOUR_WRITES))),
    )


def clamped(usage: Usage, most_input: int = MAX_TOKENS, most_output: int = MAX_TOKENS) -> Usage:
    """The usage as it is counted: no figure is negative, above its maximum, or above the figure
    that includes it.
    """
    if (
        0 <= usage.input_tokens <= most_input
        and 0 <= usage.reasoning_tokens <= usage.output_tokens <= most_output
        and 0 <= usage.hour_write_tokens <= usage.cache_write_tokens
        and 0 <= usage.cached_tokens <= usage.input_tokens - usage.cache_write_tokens
    ):
        return usage
    read = _between(usage.input_tokens, most_input)
    written = _between(usage.output_tokens, most_output)
    cached = _between(usage.cached_tokens, read)
    cache_written = _between(usage.cache_write_tokens, read - cached)
    return Usage(
        input_tokens=read,
        output_tokens=written,
        cached_tokens=cached,
        cache_write_tokens=cache_written,
        reasoning_tokens=_between(usage.reasoning_tokens, written),
        hour_write_tokens=_between(usage.hour_write_tokens, cache_written),
        estimated=usage.estimated,
    )


def _between(figure: int, most: int) -> int:
    return max(0, min(figure, most))


def cost(prices: Prices, usage: Usage) -> float:
    """The cost in US dollars. `input_tokens` includes cached and cache-write tokens."""
    cached = prices.input if prices.cached_input is None else prices.cached_input
    written = prices.input if prices.cache_write is None else prices.cache_write
    for_an_hour = 2 * prices.input if prices.cache_write_1h is None else prices.cache_write_1h
    plain = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
    dollars = (
        plain * prices.input
        + usage.cached_tokens * cached
        + (usage.cache_write_tokens - usage.hour_write_tokens) * written
        + usage.hour_write_tokens * for_an_hour
        + usage.output_tokens * prices.output
    )
    return dollars / 1_000_000


def estimate_tokens(characters: int) -> int:
    """Tokens of a text of `characters` characters by the specification's rule, rounded up."""
    return -(-characters // CHARACTERS_PER_TOKEN)


def _details(usage: JsonObject, name: str) -> JsonObject:
    details = usage.get(name)
    return details if isinstance(details, dict) else {}


def _count(value: object) -> int:
    if type(value) is int and 0 <= value <= MAX_TOKENS:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return 0
    return int(min(max(value, 0), MAX_TOKENS))
