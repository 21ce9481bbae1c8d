"""The table of a local server: in the embedded DynamoDB, or in one that the environment names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from local.data import DataFolder
from local.dynamodb import EmbeddedDynamoDB, use_local_credentials
from local.journal import Journal
from local.table import create_table
from losi.store.client import client

if TYPE_CHECKING:
    from collections.abc import Iterable

ENDPOINT = "AWS_ENDPOINT_URL_DYNAMODB"
#: Seconds to wait for the embedded store, which does one thing at a time.
EMBEDDED_SECONDS = "60"


class StoreUnusableError(Exception):
    """The DynamoDB that the environment names does not answer. The message says what to do."""


def open_store(data: DataFolder, host: str = "127.0.0.1") -> str:
    """Make the table where it is to be, and return the URL of its DynamoDB. Tells the environment.

    `host`: where the embedded one listens. Raises DamagedJournalError, StoreUnusableError.
    """
    table = os.environ.setdefault("LOSI_TABLE", "losi-local")
    if named := os.environ.get(ENDPOINT):
        _bypass_proxies(["127.0.0.1", "localhost", urlsplit(named).hostname or ""])
        use_local_credentials(named)
        _create(table, named)
        return named
    _bypass_proxies(["127.0.0.1", "localhost"])
    if os.environ.get("FRESH") == "1":
        data.forget()
    embedded = EmbeddedDynamoDB(Journal(data.journal), host)
    os.environ[ENDPOINT] = embedded.url
    os.environ.setdefault("LOSI_STORE_SECONDS", EMBEDDED_SECONDS)
    use_local_credentials(embedded.url)
    create_table(client(), table)
    embedded.restore(table)
    return embedded.url


def _create(table: str, endpoint: str) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        create_table(client(), table)
    except (BotoCoreError, ClientError, ValueError) as error:
        raise StoreUnusableError(
            f"The DynamoDB at {endpoint} cannot be used ({error}). Is it running? Without "
            f"{ENDPOINT} the embedded one is used."
        ) from error


def _bypass_proxies(hosts: Iterable[str]) -> None:
    """HTTP_PROXY is meant for other hosts; these are all local."""
    for name in ("NO_PROXY", "no_proxy"):
        known = [each for each in os.environ.get(name, "").split(",") if each.strip()]
        if "*" not in known:
            os.environ[name] = ",".join([*known, *(host for host in hosts if host not in known)])
