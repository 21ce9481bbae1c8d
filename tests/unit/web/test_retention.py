"""What is stored goes by itself after the days that the operator chose."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from losi.config import Config, Retention, read_config
from losi.errors import AuthenticationError, PermissionDeniedError
from losi.identity.key import NewKey
from losi.identity.principal import ALL_PERMISSIONS
from losi.identity.session import Sessions
from losi.metering.usage import Usage
from losi.store.table import Table
from losi.web.dependencies import Services
from tests.catalogue import CATALOGUE
from tests.dynamodb_client import TABLE
from tests.ledger_world import Clock
from tests.over_boto3 import OverBoto3

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DAY = 86_400
KEPT = Retention(usage_days=70, audit_days=90, session_days=2)


@pytest.fixture
def services(client: DynamoDBClient) -> Services:
    made = Services(Config(table=TABLE, sandbox_fallback=True, retention=KEPT))
    made.client = client
    made.dynamodb = made.settling_dynamodb = OverBoto3(client)
    return made


def days_left(client: DynamoDBClient, kind: str) -> set[int]:
    """Of all items whose keys have that in them."""
    found: list[dict[str, Any]] = list(Table(client, TABLE).everything())
    items = [item for item in found if kind in item["pk"]["S"] + item["sk"]["S"]]
    assert items, kind
    return {round((int(item["ttl"]["N"]) - time.time()) / DAY) for item in items}


async def test_each_kind_has_its_own(services: Services, client: DynamoDBClient) -> None:
    account = services.accounts.create_account("pro")
    key, secret = services.accounts.create_key(account.id, NewKey("a", ALL_PERMISSIONS))
    principal = services.authenticator.authenticate(secret)
    admission = await services.ledger.admit(
        principal, "4o", "r1", input_tokens=1, hold_tokens=2, expires_at=time.time() + 60
    )
    await services.ledger.close(admission.hold, Usage(3, 4))
    services.sessions.open(account.id, "a browser")
    _, other = services.accounts.create_key(account.id, NewKey("b", frozenset({"models.list"})))
    for _ in range(10):
        with pytest.raises(PermissionDeniedError):
            services.authenticator.permit(services.authenticator.authenticate(other), "embeddings")
    services.accounts.delete_key(account.id, key.id)

    assert days_left(client, "AUDIT#") == {90}
    assert days_left(client, "SESSION#") == {2}
    assert days_left(client, "FOLDED-DAY#") | days_left(client, f"ACCOUNT#{account.id}DAY#") <= {
        69,
        70,  # the day began earlier
    }


def test_a_session_is_judged_by_it_when_it_is_read(client: DynamoDBClient, clock: Clock) -> None:
    """DynamoDB deletes late."""
    sessions = Sessions(client, TABLE, CATALOGUE.plans, clock, longest_days=2)
    account = Services(Config(table=TABLE))
    account.client = client
    token = sessions.open(account.accounts.create_account("pro").id, "a browser")
    for _ in range(4):
        clock.advance(11 * 3_600)
        sessions.read(token)
    clock.advance(5 * 3_600)

    with pytest.raises(AuthenticationError):
        sessions.read(token)


def test_the_environment_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_config().retention == Retention(800, 400, 7)
    for name, days in (("USAGE", "70"), ("AUDIT", "90"), ("SESSION", "2")):
        monkeypatch.setenv(f"LOSI_{name}_DAYS", days)

    assert read_config().retention == KEPT
