"""One account on one deployment with one provider: what tests of the deployed shape start from.

Only AWS itself is replaced: API Gateway and Lambda by tests/front_door, the database by Amazon's
DynamoDB Local. The provider is a script (tests/fake_upstream.py) on a real socket.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from losi.identity.key import NewKey
from losi.identity.principal import PERMISSIONS
from losi.management.accounts import Accounts
from losi.metering.books import Books
from losi.metering.day_item import DayUsage
from losi.metering.usage import Usage
from losi.store.client import primary_key
from tests.catalogue import CATALOGUE
from tests.dynamodb_local import dynamodb_environment
from tests.fake_upstream import FakeUpstream, Reply
from tests.front_door import FrontDoor, Function
from tests.ledger_invariants import check_invariants

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WORDS = ["Once ", "upon ", "a ", "time "]
REPORTED = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Tell me a story"}]


def event(data: Any) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"


def word(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return event({"id": "up", "created": 1, "model": "upstream", "choices": [choice]})


END = [word("", "stop"), event({"choices": [], "usage": REPORTED}), b"data: [DONE]\n\n"]


class Script:
    """A provider's stream that sends what the test releases, when it releases it."""

    def __init__(self) -> None:
        self._released: asyncio.Queue[bytes | None] = asyncio.Queue()

    def release(self, *events: bytes) -> None:
        for one in events:
            self._released.put_nowait(one)

    def end(self) -> None:
        self.release(*END)
        self._released.put_nowait(None)

    async def body(self) -> AsyncIterator[bytes]:
        while (one := await self._released.get()) is not None:
            yield one


@dataclass
class World:
    door: FrontDoor
    upstream: FakeUpstream
    client: "DynamoDBClient"
    table: str
    account_id: str
    key: str
    sdk: AsyncOpenAI

    def script(self) -> Script:
        """Make the provider's next answer a stream of this script."""
        script = Script()
        self.upstream.replies = [Reply.sse(script.body())]
        return script

    async def stream(self, **parameters: Any) -> Any:
        return await self.sdk.chat.completions.create(
            model="gpt-4o", messages=MESSAGES, stream=True, **parameters
        )

    async def stream_one_by_one(self) -> tuple[list[str], str]:
        """Stream WORDS, each released after the one before it has arrived; and finish_reason.

        A chunk held back anywhere lets this wait until the function's deadline, and fail.
        """
        script = self.script()
        script.release(word(WORDS[0]))
        stream = await self.stream()
        received = []
        for following in [*WORDS[1:], None]:
            chunk = await anext(stream)
            received.append(chunk.choices[0].delta.content)
            script.release(word(following)) if following else script.end()
        rest = [chunk async for chunk in stream]
        return received, rest[-1].choices[0].finish_reason

    async def idle(self) -> None:
        await asyncio.to_thread(self.door.wait_idle)

    async def days(self) -> list[DayUsage]:
        today = datetime.now(UTC).date()
        return await asyncio.to_thread(
            Books(self.client, self.table).usage, self.account_id, today, today
        )

    async def settled(self) -> tuple[int, Usage]:
        return await usage_today(self.client, self.table, self.account_id)

    def check(self) -> None:
        check_invariants(self.client, self.table, all_settled=True)


@asynccontextmanager
async def open_world(
    client: "DynamoDBClient",
    table: str,
    routes: Mapping[str, Function],
    *,
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[World]:
    """An account whose key may do everything, at a front door of its own."""
    accounts = Accounts(client, table, Books(client, table), CATALOGUE.plans)
    account = accounts.create_account("ultra", name="Ann")
    _, secret = accounts.create_key(account.id, NewKey("key", frozenset(PERMISSIONS)))
    async with FakeUpstream() as upstream:
        environment = {
            **dynamodb_environment(client.meta.endpoint_url, table),
            "LOSI_OPENAI_API_KEY": "sk-upstream",
            "LOSI_OPENAI_BASE_URL": f"{upstream.url}/v1",
            "LOSI_ANTHROPIC_API_KEY": "sk-ant-upstream",
            "LOSI_ANTHROPIC_BASE_URL": upstream.url,
            **(env or {}),
        }
        with FrontDoor(routes, environment, concurrency=2) as door:
            base_url = f"{door.url}/api/v1"
            async with AsyncOpenAI(base_url=base_url, api_key=secret.text, max_retries=0) as sdk:
                yield World(door, upstream, client, table, account.id, secret.text, sdk)


async def usage_today(client: "DynamoDBClient", table: str, account_id: str) -> tuple[int, Usage]:
    """Requests and tokens, by the ledger."""
    today = datetime.now(UTC).date()
    days = await asyncio.to_thread(Books(client, table).usage, account_id, today, today)
    return (days[0].requests, days[0].total) if days else (0, Usage(0, 0))


def expire_holds(client: "DynamoDBClient", table: str, account_id: str) -> None:
    """Let the holds' time pass: what waiting for Lambda's longest invocation would do."""
    key = primary_key(account_id, f"DAY#{datetime.now(UTC).date().isoformat()}")
    item = client.get_item(TableName=table, Key=key)["Item"]
    for request_id in item["holds"]["M"]:
        client.update_item(
            TableName=table,
            Key=key,
            UpdateExpression="SET holds.#request.x = :past",
            ExpressionAttributeNames={"#request": request_id},
            ExpressionAttributeValues={":past": {"N": "1"}},
        )
