"""The API in this process on a real socket, served as `make run` serves it; what a caller sees of
an answer, and what the books say, in the words of docs/reliability.md.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import orjson
import uvicorn
from uvicorn.server import ServerState

from local.protocol import Protocol
from local.stopping import EndsWithTheServer, Server
from losi.catalogue.models import Catalogue
from losi.config import Config
from losi.identity.key import NewKey
from losi.management.accounts import Accounts
from losi.metering.books import Books
from losi.metering.day_item import DayItem, sort_key
from losi.metering.usage import Usage
from losi.store.client import primary_key
from losi.store.dynamodb import SendsToDynamoDB
from losi.web.app import create_app
from losi.web.dependencies import MARGIN_SECONDS, Services
from tests.catalogue import CATALOGUE
from tests.ledger_invariants import check_day_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from starlette.types import ASGIApp, Receive, Scope, Send

MODEL = "gpt-4o"
#: Estimated at nine tokens.
PROMPT = [{"role": "user", "content": "Hi"}]
MAX_TOKENS = 100
#: What waits for a provider waits so long here: twice that is less than until a heartbeat.
PATIENCE = 5.0


def routed(providers: Collection[str], patience: float) -> Catalogue:
    """The tests' catalogue, whose `MODEL` has one route to each provider."""
    model = CATALOGUE.models[MODEL]
    routes = tuple(
        model.routes[0].model_copy(
            update={
                "provider": CATALOGUE.providers[provider],
                "connect_timeout": patience / 2,
                "first_chunk_timeout": patience,
                "chunk_timeout": patience,
                "answer_timeout": patience,
            }
        )
        for provider in providers
    )
    models = {**CATALOGUE.models, MODEL: model.model_copy(update={"routes": routes})}
    return Catalogue(CATALOGUE.plans, CATALOGUE.providers, models)


class Context:
    """Lambda's, of an invocation that may take so many seconds for its answer."""

    def __init__(self, seconds: float) -> None:
        self._milliseconds = (seconds + MARGIN_SECONDS) * 1000

    def get_remaining_time_in_millis(self) -> float:
        return self._milliseconds


class Caller(NamedTuple):
    """Who may complete chats."""

    account_id: str
    secret: str


@dataclass
class Api:
    http: httpx.AsyncClient
    port: int
    caller: Caller
    services: Services
    server: Server
    client: DynamoDBClient
    #: What the caller's other requests of these days have used.
    before: dict[date, tuple[int, Usage]] = field(default_factory=dict)

    async def sees(self, *, stream: bool, begun: Callable[[], None] = lambda: None) -> str:
        """Ask, read all, and say what was seen: "the answer", or status or event, and code.

        `begun` is called at the first bytes of the answer.
        """
        body = {"model": MODEL, "messages": PROMPT, "max_tokens": MAX_TOKENS, "stream": stream}
        async with self.http.stream("POST", "/chat/completions", json=body) as response:
            content = b""
            async for piece in response.aiter_bytes():
                if not content:
                    begun()
                content += piece
        return seen(httpx.Response(response.status_code, headers=response.headers, content=content))

    def forget(self, *days: date) -> None:
        """What was billed until now, on these days or today, is no matter of the test."""
        for day in days or [datetime.now(UTC).date()]:
            self.before[day] = self.day(day)

    async def idle(self) -> None:
        """Until all requests have ended, those of clients that went away too."""
        while tasks := set(self.server.server_state.tasks):
            await asyncio.wait(tasks)

    async def connections_lost(self) -> None:
        """Until the server has seen that no client is left but those of `http`."""
        await self.http.aclose()
        await self.until(lambda state: not state.connections)

    async def until(self, condition: Callable[[ServerState], bool]) -> None:
        """Of uvicorn's connections and tasks, which tell nobody when they come and go."""
        while not condition(self.server.server_state):  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    async def billed(self, *days: date) -> str:
        """Since it was opened, on these days or today. Everything must be settled by now."""
        await self.idle()
        return self.booked(*days)

    def booked(self, *days: date, all_settled: bool = True) -> str:
        requests, used = 0, Usage(0, 0)
        for day in days or [datetime.now(UTC).date()]:
            before, now = self.before.get(day, (0, Usage(0, 0))), self.day(day, all_settled)
            requests += now[0] - before[0]
            used += replace(
                now[1],
                input_tokens=now[1].input_tokens - before[1].input_tokens,
                output_tokens=now[1].output_tokens - before[1].output_tokens,
            )
        if not requests:
            assert not used.total_tokens
            return "nothing"
        assert requests == 1, "it is counted more than once"
        return f"{used.input_tokens} + {used.output_tokens}"

    def day(self, day: date, all_settled: bool = True) -> tuple[int, Usage]:
        """Requests and tokens in the account's day item, whose invariants hold."""
        key = primary_key(self.caller.account_id, sort_key(day, test=False))
        table = self.services.config.table
        item = self.client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
        if item is None:
            return 0, Usage(0, 0)
        check_day_item(item, all_settled=all_settled)
        rows = DayItem.from_item(item).rows().values()
        return sum(n for n, _ in rows), sum((usage for _, usage in rows), Usage(0, 0))


@asynccontextmanager
async def open_api(
    client: DynamoDBClient,
    table: str,
    caller: Caller,
    folder: Path,
    dynamodb: SendsToDynamoDB,
    *,
    providers: Mapping[str, str],
    settling: SendsToDynamoDB | None = None,
    store_seconds: float = 2.5,
    seconds: float = 60.0,
    patience: float = PATIENCE,
    prepare: Callable[[Services], None] = lambda _: None,
) -> AsyncIterator[Api]:
    """`providers`: the URL of each that the model has a route to. A request may take `seconds`."""
    variables = {f"LOSI_{name.upper()}_API_KEY": "sk-upstream" for name in providers}
    variables |= {f"LOSI_{name.upper()}_BASE_URL": url for name, url in providers.items()}
    config = Config(
        table=table,
        variables=variables,
        settlements_folder=str(folder),
        store_seconds=store_seconds,
    )
    services = Services(config)
    services.client = client
    services.dynamodb, services.settling_dynamodb = dynamodb, settling or dynamodb
    services.catalogue = routed(providers, patience)
    prepare(services)
    app = create_app("chat_completions", services=services)
    async with _served(_within(app, seconds)) as (server, port):
        headers = {"Authorization": f"Bearer {caller.secret}"}
        base_url = f"http://127.0.0.1:{port}/api/v1"
        # without `verify` it reads all certificate authorities, for nothing; time may jump
        async with httpx.AsyncClient(
            base_url=base_url, headers=headers, timeout=None, verify=False
        ) as http:
            api = Api(http, port, caller, services, server, client)
            api.forget()
            yield api


def new_caller(client: DynamoDBClient, table: str) -> Caller:
    accounts = Accounts(client, table, Books(client, table), CATALOGUE.plans)
    account = accounts.create_account("ultra")
    _, secret = accounts.create_key(account.id, NewKey("key", frozenset({"chat.completions"})))
    return Caller(account.id, secret.text)


def _within(app: ASGIApp, seconds: float) -> ASGIApp:
    async def invoked(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "aws.context": Context(seconds)}, receive, send)

    return invoked


@asynccontextmanager
async def _served(app: ASGIApp) -> AsyncIterator[tuple[Server, int]]:
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    config = uvicorn.Config(
        EndsWithTheServer(app), http=Protocol, log_config=None, lifespan="off", access_log=False
    )
    config.load()
    server = Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    try:
        yield server, listener.getsockname()[1]
    finally:
        await server.shutdown(sockets=[listener])


def seen(response: httpx.Response) -> str:
    """In the page's words. What is an error must be in our envelope, and no whole answer."""
    assert response.headers["x-request-id"]  # ours, or API Gateway's own
    if not response.headers["content-type"].startswith("text/event-stream"):
        answer = response.json()
        if response.status_code == 200 and "error" not in answer:
            assert answer["choices"] and answer["usage"]
            return "the answer"
        words = "its own words" in answer["error"]["message"]
        assert words == (response.status_code == 400), "whose words?"
        return f"{response.status_code} {_code(answer)}".strip()
    assert response.status_code == 200
    events = [part for part in response.text.split("\n\n") if part.startswith("data: ")]
    if events[-1] == "data: [DONE]":
        assert not any('"error"' in event for event in events)
        return "the answer"
    assert "its own words" not in events[-1]
    return f"error event {_code(orjson.loads(events[-1].removeprefix('data: ')))}"


def _code(answer: Any) -> str:
    error = answer["error"]
    assert answer.keys() == {"error"} and error.keys() == {"message", "type", "param", "code"}
    assert error["message"]
    return str(error["code"] or "")
