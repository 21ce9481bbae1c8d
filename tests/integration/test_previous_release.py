"""The release before reads and writes what today's code has stored: while a deployment shifts
callers, and for as long as an old stream runs, both serve from one table.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from losi.errors import AuthenticationError
from losi.identity.authenticator import Authenticator
from losi.identity.secret import Secret, parse
from losi.management.accounts import Accounts
from tests.dynamodb_client import TABLE
from tests.ledger_invariants import check_invariants
from tests.ledger_world import BlockingLedger, Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ROOT = Path(__file__).parents[2]
OLDER = ROOT / "tests" / "data" / "releases" / "0.1.zip"
NOVEMBER = (date(2026, 11, 1), date(2026, 11, 30))


def python(script: str, path: str, given: str = "") -> Any:
    ran = subprocess.run(
        [sys.executable, script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        input=given,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@dataclass(frozen=True)
class Shift:
    """What today's code stored and says of it, and what the older one made of it."""

    today: dict[str, Any]
    older: dict[str, Any]

    @property
    def now(self) -> float:
        return datetime.fromisoformat(self.today["made_at"]).timestamp()

    def secret(self, name: str) -> Secret:
        found = parse(self.today["secrets"][name])
        assert found is not None
        return found

    @property
    def account_id(self) -> str:
        return self.secret("full").account_id


@pytest.fixture(scope="module")
def shift() -> Shift:
    today = python("tests/data/items/make.py", f"{ROOT / 'shared'}:{ROOT}")
    now = datetime.fromisoformat(today["made_at"]).timestamp()
    given = {"now": now, "secrets": today["secrets"], "items": today["items"]}
    return Shift(today, python("tests/previous_release.py", str(OLDER), json.dumps(given)))


@pytest.fixture
def clock(shift: Shift) -> Clock:
    made = Clock()
    made.now = shift.now
    return made


@pytest.fixture
def client(shift: Shift, client: DynamoDBClient) -> DynamoDBClient:
    """The table as the older release left it; today's code is around it again."""
    for item in shift.older["items"]:
        client.put_item(TableName=TABLE, Item=item)
    return client


def test_each_key_is_good_or_refused_there_as_it_is_here(shift: Shift) -> None:
    assert shift.older["verdicts"] == shift.today["says"]["verdicts"]
    assert set(shift.older["verdicts"].values()) >= {"good", "key_expired", "key_disabled"}


def test_what_it_admits_and_settles_is_in_today_s_books_once(
    shift: Shift, client: DynamoDBClient, ledger: BlockingLedger
) -> None:
    before = shift.today["says"]["accounts"]["Ada Lovelace"]["usage"][-1]

    day = ledger.usage(shift.account_id, *NOVEMBER)[-1]

    assert (shift.older["settled"], shift.older["settled_again"]) == (True, False)
    assert day.day.isoformat() == before["day"]
    assert day.requests == before["requests"] + 1
    assert [day.total.input_tokens, day.total.output_tokens] == [
        before["total"][0] + 5,
        before["total"][1] + 6,
    ]
    check_invariants(client, TABLE)


def test_what_runs_there_counts_here_until_it_is_dead(
    shift: Shift, client: DynamoDBClient, ledger: BlockingLedger, clock: Clock
) -> None:
    running = ledger.usage(shift.account_id, *NOVEMBER)[-1].requests

    clock.advance(3_600)

    dead = ledger.usage(shift.account_id, *NOVEMBER)[-1].requests
    assert dead - running == 2  # one of today's own, and the older's
    check_invariants(client, TABLE)


def test_keys_that_it_changed_keep_what_it_does_not_know_of(
    shift: Shift, accounts: Accounts
) -> None:
    was = {key["id"]: key for key in shift.today["says"]["accounts"]["Ada Lovelace"]["keys"]}

    changed = accounts.key(shift.account_id, shift.secret("full").key_id).as_json()

    assert changed["name"] == "new"
    for name in ("permissions", "created_by", "created_at", "is_enabled"):
        assert changed[name] == was[changed["id"]][name]


def test_a_key_that_it_rotated_or_deleted_is_so_here(
    shift: Shift, authenticator: Authenticator
) -> None:
    rotated = parse(shift.older["rotated"])
    assert rotated is not None

    authenticator.authenticate(rotated)
    authenticator.authenticate(shift.secret("ends"))  # for the hour of its overlap
    with pytest.raises(AuthenticationError):
        authenticator.authenticate(shift.secret("weak"))
    assert shift.older["after"] == {"full": "good", "ends": "good", "weak": "invalid_api_key"}


def test_sessions_audit_log_and_sign_ins_are_left_alone(shift: Shift) -> None:
    """What 0.1 has no word for."""

    def others(items: list[dict[str, Any]]) -> list[str]:
        kinds = ("AUDIT#", "EMAIL#", "LOGIN#", "SIGNUPS")
        return sorted(
            json.dumps(item, sort_keys=True)
            for item in items
            if item["pk"]["S"].startswith(kinds) or item["sk"]["S"].startswith("SESSION#")
        )

    assert others(shift.older["items"]) == others(shift.today["items"])
    assert len(others(shift.today["items"])) > 10
