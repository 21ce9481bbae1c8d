"""A provider that answers most requests, breaks some, and knows what each must cost."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator

from losi.metering import estimate
from losi.metering.usage import Usage
from tests.e2e.world import event, word
from tests.fake_upstream import Received, Reply
from tests.loose import Json

MAX_TOKENS = 1_000
#: How often an answer ends so, of a hundred.
ENDS = {
    "whole": 78,
    "breaks off": 8,
    "tells its usage, then breaks off": 4,
    "fails with 500": 5,
    "sends garbage": 5,
}
#: Before any content: another attempt is made, and these cost nothing.
FREE = {"fails with 500", "sends garbage"}


def body(number: int, *, stream: bool) -> Json:
    """A request whose prompt says which it is; all are estimated alike."""
    messages = [{"role": "user", "content": f"Request {number:09}"}]
    return {"model": "gpt-4o", "messages": messages, "max_tokens": MAX_TOKENS, "stream": stream}


class Provider:
    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        #: By the number of the request. What is sent twice for one would be billed twice.
        self.owed: dict[int, Usage] = {}
        self.ends: Counter[str] = Counter()

    def answer(self, asked: Received) -> Reply:
        """For FakeUpstream."""
        number = int(asked.json["messages"][-1]["content"].split()[-1])
        (end,) = self._dice.choices([*ENDS], [*ENDS.values()])
        if not asked.json.get("stream") and end not in FREE:
            end = "whole"
        self.ends[end] += 1
        if end == "fails with 500":
            return Reply.json({"error": {"message": "no"}}, 500)
        if end == "sends garbage":
            return Reply.sse([b"data: {no json}\n\n"])
        told = Usage(self._dice.randint(1, 1_000), self._dice.randint(1, MAX_TOKENS))
        if not asked.json.get("stream"):
            self._owes(number, told)
            choice = {"index": 0, "message": {"content": "Once"}, "finish_reason": "stop"}
            return Reply.json({"choices": [choice], "usage": told.to_openai()})
        return Reply.sse(self._events(number, told, end), cut=end != "whole")

    async def _events(self, number: int, told: Usage, end: str) -> AsyncIterator[bytes]:
        pause, words = self._dice.uniform(0.1, 0.5), self._dice.randint(5, 20)
        for _ in range(words):
            yield word("once ")
            await asyncio.sleep(pause)
        if end == "breaks off":
            read = estimate.input_tokens(body(number, stream=True))
            self._owes(
                number,
                estimate.estimated(
                    input_tokens=read, characters=words * len("once "), most_output=MAX_TOKENS
                ),
            )
            return
        self._owes(number, told)
        if end == "whole":
            yield word("", "stop")
        yield event({"choices": [], "usage": told.to_openai()})
        if end == "whole":
            yield b"data: [DONE]\n\n"

    def _owes(self, number: int, used: Usage) -> None:
        assert number not in self.owed, f"request {number} was answered twice"
        self.owed[number] = used
