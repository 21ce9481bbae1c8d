"""The app as Lambda runs it: the streaming runtime in a process of its own, many streams at once.

API Gateway and Lambda are the tests' front door, in this process, and not counted.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from bench import load
from bench.gateways import Gateway
from bench.interpreter import PYTHON
from losi.identity.key import NewKey
from losi.identity.principal import PERMISSIONS
from losi.management.accounts import Accounts
from losi.metering.books import Books
from tests.catalogue import CATALOGUE
from tests.dynamodb_local import connect
from tests.front_door import FrontDoor, Function, template_routes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NAME = "Losi deployed"
#: Streams in one process, as on Lambda Managed Instances (template.yaml, ManagedInstances).
AT_ONCE = 64
FUNCTION = "chat_completions"


def new_key(environment: dict[str, str], table: str) -> str:
    """Of an account of its own, as one may not have so many streams at once."""
    client: DynamoDBClient = connect(environment["AWS_ENDPOINT_URL_DYNAMODB"])
    accounts = Accounts(client, table, Books(client, table), CATALOGUE.plans)
    account = accounts.create_account("ultra")
    _, key = accounts.create_key(account.id, NewKey("bench", frozenset(PERMISSIONS)))
    return key.text


def asking(door: FrontDoor, key: str) -> load.Ask:
    url = f"{door.url}/api/v1/chat/completions"
    return load.Ask(url, {"authorization": f"Bearer {key}"}, "gpt-4o-mini", "Hi", stream=True)


@contextmanager
def deployed(environment: dict[str, str], key: str) -> Iterator[Gateway]:
    """One process, which has answered once. It reads the provider secret, as in AWS."""
    routes = template_routes(make=partial(Function, python=str(PYTHON)), at_once=AT_ONCE)
    variables = {name: text for name, text in environment.items() if not name.endswith("API_KEY")}
    variables["LOSI_PROVIDER_SECRET"] = "providers"  # noqa: S105 (its name)
    variables["AWS_ENDPOINT_URL_SECRETS_MANAGER"] = environment["LOSI_ANTHROPIC_BASE_URL"]
    with FrontDoor(routes, variables, concurrency=1, timeout_s=300) as door:
        asyncio.run(load.run(asking(door, key), 1, 1))
        (pid,) = door.pids(FUNCTION)
        models = {"openai": "gpt-4o-mini", "anthropic": "claude-3.5-sonnet"}
        headers = {model: {"authorization": f"Bearer {key}"} for model in models}
        yield Gateway(NAME, f"{door.url}/api/v1/chat/completions", pid, headers, models)


async def resident_with_all(gateway: Gateway, key: str) -> float:
    """MiB while as many streams go on as one process has."""
    streams = [
        asyncio.create_task(load.run(ask, AT_ONCE // 2, AT_ONCE // 2))
        for headers in (gateway.headers["openai"], {"authorization": f"Bearer {key}"})
        for ask in [load.Ask(gateway.url, headers, "gpt-4o-mini", "bench-paced", stream=True)]
    ]
    most = 0.0
    while not all(stream.done() for stream in streams):
        most = max(most, gateway.resident())
        await asyncio.sleep(0.05)
    await asyncio.gather(*streams)
    return most
