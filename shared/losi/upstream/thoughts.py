"""Thoughts in a conversation that the provider did not sign: it is asked once more without them.

A conversation that another model or provider began has thinking blocks with its signatures, and
Claude refuses them (https://github.com/BerriAI/litellm/issues/23047). Only the provider can say
whose a signature is, and a refusal costs nothing. Pure but for the exchange.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from losi.errors import InvalidRequestError
from losi.upstream.batch import Batch
from losi.upstream.format import Around, Exchange, Prepare, UpstreamCall

if TYPE_CHECKING:
    from losi.wire.chat import Completion, Message, Request

_NOT_ITS_OWN = re.compile(r"signature.*think|think.*signature|thinking.*cannot be modified", re.I)


def prepare(inner: Prepare, call: UpstreamCall) -> Exchange:
    """The exchange for a call with earlier thoughts: it is sent again without them if they are
    refused.
    """
    return WithOrWithout(inner(call), lambda: inner(_without_thoughts(call)))


def _without_thoughts(call: UpstreamCall) -> UpstreamCall:
    messages: list[Message] = [{**message} for message in call.body["messages"]]
    for message in messages:
        message.pop("thinking_blocks", None)
    body: Request = {**call.body, "messages": messages}
    return replace(call, body=body)


class WithOrWithout(Around):
    """An exchange, and how to make the one without thoughts."""

    def __init__(self, exchange: Exchange, without: Callable[[], Exchange]) -> None:
        super().__init__(exchange)
        self._without: Callable[[], Exchange] | None = without

    @property
    def mapped(self) -> frozenset[str]:
        """Includes `messages` once the thoughts were left out."""
        return super().mapped | ({"messages"} if self._without is None else set())

    async def complete(self) -> Completion:
        try:
            return await self._exchange.complete()
        except InvalidRequestError as refusal:
            self._go_without(refusal)
            return await self._exchange.complete()

    async def stream(self) -> AsyncGenerator[Batch]:
        begun = False
        try:
            async with aclosing(self._exchange.stream()) as batches:
                async for batch in batches:
                    begun = True
                    yield batch
        except InvalidRequestError as refusal:
            if begun:
                raise
            self._go_without(refusal)
            async with aclosing(self._exchange.stream()) as batches:
                async for batch in batches:
                    yield batch

    def _go_without(self, refusal: InvalidRequestError) -> None:
        """Switch to the exchange without thoughts. Raises the refusal if it is about something
        else, or if this was done already.
        """
        if self._without is None or not _NOT_ITS_OWN.search(refusal.message):
            raise refusal
        self._exchange, self._without = self._without(), None
