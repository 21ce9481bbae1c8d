"""Who did what stands in the audit log, written with the deed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from losi.config import AUDIT_DAYS
from losi.errors import (
    StoreUnavailableError,
)
from losi.identity.audit import Actor, Record
from losi.identity.key import NewKey
from losi.identity.principal import ALL_PERMISSIONS
from losi.management.accounts import Accounts
from losi.store.table import Table
from tests.account_world import A_KEY
from tests.dynamodb_client import TABLE
from tests.ledger_world import Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class TestRecords:
    def test_every_change_of_a_key_is_there_newest_first(
        self, accounts: Accounts, account_id: str, owner: Actor
    ) -> None:
        key, _ = accounts.create_key(account_id, A_KEY, by=owner)
        accounts.change_key(account_id, key.id, lambda key: replace(key, name="Ada's"), owner)
        accounts.rotate_key(account_id, key.id, timedelta(0), owner)
        accounts.delete_key(account_id, key.id, owner)

        records = [r for r in accounts.audit_log(account_id, 10) if r.target == f"key_{key.id}"]

        assert [record.action for record in records] == [
            "key.deleted",
            "key.deletion_began",
            "key.rotated",
            "key.changed",
            "key.created",
        ]
        assert {record.actor for record in records} == {owner.name}
        assert records[-1].after["permissions"] == sorted(A_KEY.permissions)
        assert (records[1].before, records[1].after) == (
            {"is_enabled": True},
            {"is_enabled": False},
        )

    def test_changes_of_an_account_are_the_operator_s(
        self, accounts: Accounts, account_id: str
    ) -> None:
        accounts.set_plan(account_id, "free")

        newest, first = accounts.audit_log(account_id, 10)

        assert (newest.action, newest.actor) == ("account.plan_set", "operator")
        assert (newest.before, newest.after) == ({"plan": "ultra"}, {"plan": "free"})
        assert first.action == "account.created"

    def test_the_log_outlives_the_account_without_a_name(
        self, accounts: Accounts, account_id: str, owner: Actor
    ) -> None:
        accounts.create_key(account_id, NewKey("Ada's laptop", ALL_PERMISSIONS), by=owner)

        accounts.delete_account(account_id)

        records = accounts.audit_log(account_id, 10)
        assert records[0].action == "account.deleted"
        assert not {"Ada", "ada@example.com"} & set(repr(records).replace("'", " ").split())

    def test_a_record_that_cannot_be_written_stops_the_change(
        self, accounts: Accounts, account_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        same = Record.sort
        monkeypatch.setattr(Record, "sort", property(lambda record: "the same"))
        accounts.set_plan(account_id, "pro")

        with pytest.raises(StoreUnavailableError):
            accounts.set_plan(account_id, "free")

        monkeypatch.setattr(Record, "sort", same)
        assert accounts.account(account_id).plan_name == "pro"

    def test_an_expired_record_is_not_shown_though_it_is_still_there(
        self, client: DynamoDBClient, accounts: Accounts, account_id: str, clock: Clock
    ) -> None:
        clock.advance(AUDIT_DAYS * 86_400 + 1)

        assert accounts.audit_log(account_id, 10) == []
        assert Table(client, TABLE).newest(f"AUDIT#{account_id}", 10, None, 0)

    def test_pages_follow_one_another(self, accounts: Accounts, account_id: str) -> None:
        for plan in ("free", "plus", "pro"):
            accounts.set_plan(account_id, plan)
        whole = accounts.audit_log(account_id, 10)

        first = accounts.audit_log(account_id, 2)
        second = accounts.audit_log(account_id, 2, first[-1].sort)

        assert first + second == whole
