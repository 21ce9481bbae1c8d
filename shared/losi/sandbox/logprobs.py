"""Made-up but plausible log probabilities, one for every word-size piece of the answer."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from losi.wire.chat import LikelyToken, Logprobs, Request, Token


_WORDS = ("the", "a", "of", "and", "to", "in", "is", "it", "you", "that")
_ALTERNATIVES = (*_WORDS, *(f"{word}1" for word in _WORDS))


def logprobs(body: Request, pieces: list[str]) -> Logprobs | None:
    """OpenAI's `logprobs` object, or None unless the request asks for it."""
    if body.get("logprobs") is not True:
        return None
    wanted = body.get("top_logprobs")
    number = wanted if isinstance(wanted, int) else 0
    return {"content": [_token(piece, number) for piece in pieces], "refusal": None}


def _token(piece: str, number: int) -> LikelyToken:
    # a hash of the piece: `hash()` differs from one process to the next
    chance = -hashlib.sha256(piece.encode()).digest()[0] / 512
    others = enumerate(_ALTERNATIVES[: number - 1])
    unlikely = (_odds(word, -1.0 - place) for place, word in others)
    top = [_odds(piece, chance), *unlikely] if number else []
    return {**_odds(piece, chance), "top_logprobs": top}


def _odds(token: str, chance: float) -> Token:
    return {"token": token, "logprob": chance, "bytes": list(token.encode())}
