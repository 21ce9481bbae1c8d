"""`make run` with its embedded store, when many come at the same moment."""

import asyncio
import json
from pathlib import Path

import httpx

from losi.identity.key import NewKey
from losi.identity.principal import PERMISSIONS
from losi.management.accounts import Accounts
from losi.metering.books import Books
from tests.catalogue import CATALOGUE
from tests.dynamodb_local import connect, free_port
from tests.e2e.server import Server, running_server
from tests.e2e.world import usage_today

MANY, ACCOUNTS = 200, 10
QUESTION = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}


async def test_as_many_answers_as_requests(tmp_path: Path) -> None:
    """Of several accounts, because one may have 50 at once. No day of theirs is open."""
    with running_server(tmp_path, free_port()) as server:
        reach = json.loads((server.folder / ".losi/local.json").read_text())
        client, table = connect(reach["dynamodb_endpoint"]), reach["table"]
        accounts = Accounts(client, table, Books(client, table), CATALOGUE.plans)
        made = [accounts.create_account("ultra") for _ in range(ACCOUNTS)]
        keys = [
            accounts.create_key(account.id, NewKey("key", frozenset(PERMISSIONS)))[1].text
            for account in made
        ]

        statuses = await asked_at_once(server, keys)

        assert statuses == [200] * MANY
        for account in made:
            requests, _ = await usage_today(client, table, account.id)
            assert requests == MANY // ACCOUNTS
        client.close()


async def asked_at_once(server: Server, keys: list[str]) -> list[int]:
    limits = httpx.Limits(max_connections=MANY)
    async with httpx.AsyncClient(timeout=120, limits=limits) as http:

        async def ask(number: int) -> int:
            response = await http.post(
                f"{server.base_url}/chat/completions",
                json=QUESTION,
                headers={"authorization": f"Bearer {keys[number % len(keys)]}"},
            )
            return response.status_code

        return await asyncio.gather(*(ask(number) for number in range(MANY)))
