"""A chat request with a ledger, a queue and whatever provider the test scripts."""

from pathlib import Path
from typing import Any

import pytest

from losi.catalogue.models import Catalogue
from losi.chat.completions import Call, ChatCompletions
from losi.chat.request import parse_chat_request
from losi.identity.authenticator import Authenticator
from losi.identity.key import NewKey
from losi.management.accounts import Accounts
from losi.metering.gate import Gate
from losi.metering.ledger import Ledger
from losi.metering.settler import Settler
from losi.store.queue import FolderQueue
from losi.store.writes import DynamoDBWrites, Writes
from losi.upstream.format import Format
from losi.upstream.routing import ChatRouter
from tests.catalogue import CATALOGUE
from tests.dynamodb_client import TABLE
from tests.ledger_invariants import check_invariants
from tests.ledger_world import BlockingLedger, Clock, make_callers
from tests.over_boto3 import OverBoto3
from tests.unit.chat.chat_world import OneProvider, World


@pytest.fixture
def queue(tmp_path: Path) -> FolderQueue:
    return FolderQueue(tmp_path)


@pytest.fixture
def world(
    client: Any,
    accounts: Accounts,
    authenticator: Authenticator,
    ledger: BlockingLedger,
    queue: FolderQueue,
    clock: Clock,
) -> Any:
    """Makes a world around one provider; at the end, the ledger's invariants hold."""

    def make(
        provider: Format,
        *,
        settlements: Writes | None = None,
        its_catalogue: Catalogue | None = None,
        permissions: frozenset[str] = frozenset({"chat.completions"}),
        **fields: Any,
    ) -> World:
        account = accounts.create_account("ultra")
        _, secret = accounts.create_key(account.id, NewKey("key", permissions))
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], **fields}
        call = Call(secret, parse_chat_request(body), "req_1", 60)
        router = ChatRouter(OneProvider(provider), sleep=no_sleep)
        models = its_catalogue or CATALOGUE
        writes = DynamoDBWrites(OverBoto3(client), TABLE)
        its_ledger = Ledger(writes, settlements or writes, clock)
        its_gate = Gate(
            make_callers(authenticator, client), its_ledger, Settler(its_ledger, queue), clock
        )
        chat = ChatCompletions(its_gate, models, router, clock)
        return World(chat, call, ledger, account.id)

    yield make
    check_invariants(client, TABLE)


async def no_sleep(seconds: float) -> None:
    """Backoff is tested with the routes."""
