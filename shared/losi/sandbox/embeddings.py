"""The sandbox's embeddings: deterministic unit vectors, near each other for texts that share words.

Each word, and each run of three letters within it, moves one dimension up or down, by its checksum.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from losi.errors import InvalidRequestError
from losi.metering.usage import estimate_tokens
from losi.upstream.format import UpstreamCall

if TYPE_CHECKING:
    from losi.wire import embeddings

#: As text-embedding-3-small's, where the request names none.
DIMENSIONS = 1_536
MAX_DIMENSIONS = 3_072
#: A text longer than this is refused, as OpenAI's models refuse it.
MAX_TOKENS = 8_192
_WORD = re.compile(r"\w+|[^\w\s]")
_WORD_WEIGHT = 2.0


class SandboxEmbeddings:
    async def embed(self, call: UpstreamCall[embeddings.Request]) -> embeddings.Embeddings:
        """OpenAI's answer. Raises InvalidRequestError for what OpenAI refuses."""
        given = call.body["input"]
        inputs = several(given)
        size = call.body.get("dimensions") or DIMENSIONS
        if size > MAX_DIMENSIONS:
            raise InvalidRequestError(
                f"'dimensions' is too large: {size}. The sandbox has at most {MAX_DIMENSIONS}.",
                param="dimensions",
                code="invalid_value",
            )
        counts = [_tokens(one) for one in inputs]
        if max(counts) > MAX_TOKENS:
            raise InvalidRequestError(
                f"An input has about {max(counts)} tokens; a model takes at most {MAX_TOKENS} in "
                "each. Split it.",
                param="input",
                code="context_length_exceeded",
            )
        data: list[embeddings.Embedding] = [
            {"object": "embedding", "index": index, "embedding": unit_vector(one, size)}
            for index, one in enumerate(inputs)
        ]
        usage: embeddings.Usage = {"prompt_tokens": sum(counts), "total_tokens": sum(counts)}
        return {"object": "list", "data": data, "model": call.route.model, "usage": usage}


def several(given: embeddings.Input) -> Sequence[str | list[int]]:
    """The inputs, of which a list of tokens is one."""
    if isinstance(given, str) or isinstance(given[0], int):
        return [given]
    return given


def unit_vector(given: str | list[int], size: int) -> list[float]:
    vector = [0.0] * size
    for feature, weight in _features(given):
        checksum = zlib.crc32(feature.encode("utf-8", "replace"))
        vector[checksum % size] += weight if checksum & 0x80000000 else -weight
    length = math.sqrt(sum(x * x for x in vector))
    if not length:  # features that cancel each other out
        return [1.0, *vector[1:]]
    return [x / length for x in vector]


def _features(given: str | list[int]) -> Iterator[tuple[str, float]]:
    if not isinstance(given, str):
        yield from ((f"#{token}", 1.0) for token in given)
        return
    for word in _WORD.findall(given.casefold()) or [given]:
        yield word, _WORD_WEIGHT
        padded = f" {word} "
        yield from ((padded[start : start + 3], 1.0) for start in range(len(padded) - 2))


def _tokens(given: str | list[int]) -> int:
    return estimate_tokens(len(given)) if isinstance(given, str) else len(given)
