"""What is attacked: a server as its users find it, and what its processes take meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from losi.identity.key import NewKey
from losi.identity.principal import ALL_PERMISSIONS
from losi.identity.session import Sessions
from losi.management.accounts import Accounts
from losi.metering.books import Books
from tests.catalogue import CATALOGUE
from tests.dynamodb_local import connect
from tests.hostile.process import Usage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: What one request may take of the processes that answer it, over what they take while idle.
MOST_MEGABYTES = 200
MOST_SECONDS = 1.0


class Target:
    """`pids`: the processes that answer by now."""

    def __init__(
        self, url: str, client: DynamoDBClient, table: str, pids: Callable[[], list[int]]
    ) -> None:
        self.url = url
        self._accounts = Accounts(client, table, Books(client, table), CATALOGUE.plans)
        self._sessions = Sessions(client, table, CATALOGUE.plans)
        self._pids = pids

    def new_key(self) -> str:
        """With every permission, of an account of its own: no limit of a plan ends the attack."""
        account = self._accounts.create_account("ultra")
        return self._accounts.create_key(account.id, NewKey("key", ALL_PERMISSIONS))[1].text

    def new_session(self) -> dict[str, str]:
        """What a page of the console sends for an operator who has just signed in."""
        account = self._accounts.create_account("ultra")
        self._accounts.set_operator(account.id, True)
        token = self._sessions.open(account.id, "a browser").text
        place = urlsplit(self.url)
        return {
            "Cookie": f"losi-{place.port}={token}; __Host-losi={token}",
            "Origin": f"{place.scheme}://{place.netloc}",
            "Sec-Fetch-Site": "same-origin",
            "X-Losi-Console": "1",
        }

    def usage(self) -> Usage:
        return Usage(*self._pids())


def local_target(url: str, folder: Path, pid: int) -> Target:
    """`make run`, which keeps in `folder` where its table is."""
    reach = json.loads((folder / ".losi" / "local.json").read_text())
    return Target(url, connect(reach["dynamodb_endpoint"]), reach["table"], lambda: [pid])
