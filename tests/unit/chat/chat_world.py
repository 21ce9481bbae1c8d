"""A chat request around a scripted provider, and what it left in the ledger."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from losi.catalogue.providers import Provider
from losi.chat.completions import Call, ChatCompletions
from losi.config import Config
from losi.dialects import openai_chat
from losi.errors import (
    StoreUnavailableError,
)
from losi.metering.usage import Usage
from losi.store.client import Item
from losi.store.writes import Update, Written
from losi.upstream.format import Format, UpstreamCall
from losi.upstream.registry import Registry
from tests.fake_format import FakeExchange
from tests.ledger_world import BlockingLedger
from tests.loose import Json

#: Estimated tokens of the prompt of every request here.
PROMPT = 9

REPORTED = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def chunk(text: str) -> Json:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}


class Scripted:
    """Streams its items, or raises the one that is an error; plain, it answers with the first."""

    def __init__(self, *items: Json | Exception) -> None:
        self.items = items
        self.closed = False

    def prepare(self, call: UpstreamCall) -> FakeExchange:
        return FakeExchange(self, call)

    async def complete(self, call: UpstreamCall) -> Json:
        if isinstance(self.items[0], Exception):
            raise self.items[0]
        return dict(self.items[0])

    async def stream(self, call: UpstreamCall) -> AsyncGenerator[Json]:
        try:
            for item in self.items:
                if isinstance(item, Exception):
                    raise item
                yield dict(item)
        finally:
            self.closed = True


class OneProvider(Registry[Format]):
    def __init__(self, provider: Format) -> None:
        super().__init__({}, Config())
        self.one = provider

    def upstream(self, provider: Provider, *, refresh: bool = False) -> Format:
        return self.one


class NoStore:
    """Refuses every write, as DynamoDB does while it throttles."""

    async def update(self, update: Update) -> Written:
        raise StoreUnavailableError

    async def transact(self, updates: Sequence[Update]) -> Written:
        raise StoreUnavailableError

    async def newest(self, account_id: str, first: str, last: str) -> list[Item]:
        raise StoreUnavailableError


@dataclass
class World:
    chat: ChatCompletions
    call: Call
    ledger: BlockingLedger
    account_id: str

    async def plain(self) -> Any:
        return await self.chat.complete(self.call, await self.principal())

    async def events(self) -> list[bytes]:
        stream = await self.chat.stream(self.call, await self.principal())
        out = openai_chat.EventStream(include_usage=self.call.request.include_usage)
        return [out.written(item) async for item in stream.events]

    async def principal(self) -> Any:
        return await self.chat.authenticate(self.call.credential)

    def settled(self) -> tuple[int, Usage]:
        days = self.ledger.usage(self.account_id, date(2026, 1, 1), date(2026, 12, 31))
        return (days[0].requests, days[0].total) if days else (0, Usage(0, 0))
