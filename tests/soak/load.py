"""Clients that ask one request after the other: most read their answer, some hang up."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx

from tests.soak import provider

#: How often a client does so, of a hundred.
WAYS = {"reads a stream": 67, "hangs up": 15, "reads JSON": 13, "asks the sandbox": 5}


@dataclass(frozen=True)
class Account:
    account_id: str
    key: str
    test_key: str


@dataclass
class Seen:
    asked: Counter[str] = field(default_factory=Counter)
    #: Of those that were read to their end.
    answers: Counter[str] = field(default_factory=Counter)
    #: The moment of asking, and seconds from there to the first bytes of a stream.
    first_bytes: list[tuple[float, float]] = field(default_factory=list)
    open: int = 0
    #: Whose request each number is.
    account_of: dict[int, str] = field(default_factory=dict)


async def ask_on(
    http: httpx.AsyncClient, account: Account, seen: Seen, dice: random.Random, until: float
) -> None:
    while time.monotonic() < until:
        (way,) = dice.choices([*WAYS], [*WAYS.values()])
        number = len(seen.account_of)
        seen.account_of[number] = account.account_id
        seen.asked[way] += 1
        seen.open += 1
        try:
            answer = await _ask(http, account, seen, way, number)
        except httpx.HTTPError as error:
            answer = type(error).__name__
        seen.open -= 1
        seen.answers[answer] += 1


async def _ask(http: httpx.AsyncClient, account: Account, seen: Seen, way: str, number: int) -> str:
    """How it ended: whole, hung up, or the code of its error."""
    key = account.test_key if way == "asks the sandbox" else account.key
    body = provider.body(number, stream=way != "reads JSON")
    began, text = time.monotonic(), ""
    headers = {"authorization": f"Bearer {key}"}
    async with http.stream("POST", "/chat/completions", json=body, headers=headers) as response:
        async for piece in response.aiter_text():
            if not text and response.status_code == 200 and way != "reads JSON":
                seen.first_bytes.append((began, time.monotonic() - began))
            text += piece
            if way == "hangs up" and response.status_code == 200:
                return "hung up"
    if '"error":{' in text:
        return text.rpartition('"code":"')[2].partition('"')[0]
    return "whole" if way == "reads JSON" or text.endswith("[DONE]\n\n") else "cut"
