"""What a change depends on in the very moment of its write, and how many there may be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from losi.errors import (
    PermissionDeniedError,
    QuotaExceededError,
    StaleAuthenticationError,
)
from losi.identity.audit import Actor
from losi.identity.authenticator import Authenticator
from losi.identity.key import Key, NewKey
from losi.identity.principal import ALL_PERMISSIONS
from losi.management.accounts import Accounts
from losi.management.writes import (
    CHANGES_PER_DAY,
)
from tests.account_world import A_KEY, holder
from tests.ledger_world import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient
from tests.account_world import WRITER, key_id


def clock_day(clock: Clock) -> str:
    return datetime.fromtimestamp(clock(), UTC).date().isoformat()


def revoked(accounts: Accounts, account_id: str, key_id: str) -> None:
    accounts.delete_key(account_id, key_id)


def disabled(accounts: Accounts, account_id: str, key_id: str) -> None:
    accounts.change_key(account_id, key_id, lambda key: replace(key, is_enabled=False))


def narrowed(accounts: Accounts, account_id: str, key_id: str) -> None:
    accounts.change_key(account_id, key_id, lambda key: replace(key, permissions=WRITER))


def rotated(accounts: Accounts, account_id: str, key_id: str) -> None:
    accounts.rotate_key(account_id, key_id, timedelta(0))


def shut(accounts: Accounts, account_id: str, key_id: str) -> None:
    accounts.set_disabled(account_id, True)


class TestWhatBeganBefore:
    """A request that was let in does not finish once its key is no longer what it was."""

    @pytest.mark.parametrize("end", [revoked, disabled, narrowed, rotated, shut])
    @pytest.mark.parametrize("act", ["create", "change", "rotate", "delete"])
    def test_ends_with_its_key(
        self,
        accounts: Accounts,
        account_id: str,
        owner: Actor,
        act: str,
        end: Callable[[Accounts, str, str], None],
    ) -> None:
        other, _ = accounts.create_key(account_id, A_KEY)
        deeds: dict[str, Callable[[], object]] = {
            "create": lambda: accounts.create_key(account_id, A_KEY, by=owner),
            "change": lambda: accounts.change_key(account_id, other.id, _renamed, owner),
            "rotate": lambda: accounts.rotate_key(account_id, other.id, timedelta(0), owner),
            "delete": lambda: accounts.delete_key(account_id, other.id, owner),
        }
        end(accounts, account_id, key_id(owner))
        before = accounts.key(account_id, other.id)

        with pytest.raises(StaleAuthenticationError):
            deeds[act]()

        assert accounts.key(account_id, other.id) == before

    @pytest.mark.parametrize("end", [revoked, disabled, narrowed, shut])
    def test_also_when_it_ends_in_the_very_moment_of_the_write(
        self,
        client: DynamoDBClient,
        accounts: Accounts,
        account_id: str,
        owner: Actor,
        end: Callable[[Accounts, str, str], None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        transact, over = client.transact_write_items, False

        def just_before(**request: Any) -> Any:
            nonlocal over
            if not over:
                over = True
                end(accounts, account_id, key_id(owner))
            return transact(**request)

        monkeypatch.setattr(client, "transact_write_items", just_before)
        count = accounts.account(account_id).key_count

        with pytest.raises(StaleAuthenticationError):
            accounts.create_key(account_id, A_KEY, by=owner)

        assert accounts.account(account_id).key_count <= count

    def test_and_when_it_expires(
        self, accounts: Accounts, authenticator: Authenticator, account_id: str, clock: Clock
    ) -> None:
        ends = accounts.account(account_id).created_at + timedelta(seconds=60)
        _, secret = accounts.create_key(account_id, NewKey("short", ALL_PERMISSIONS, ends))
        short = holder(authenticator, secret)
        clock.advance(61)

        with pytest.raises(StaleAuthenticationError):
            accounts.create_key(account_id, replace(A_KEY, expires_at=ends), by=short)


def _renamed(key: Key) -> Key:
    return replace(key, name="renamed")


class TestNobodyIsLockedOut:
    def test_a_lesser_key_uses_up_its_own_changes_alone(
        self,
        accounts: Accounts,
        account_id: str,
        owner: Actor,
        weak: Actor,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("losi.management.writes.CHANGES_PER_DAY", 6)
        own = NewKey("own", WRITER)
        with pytest.raises(QuotaExceededError, match="can still be deleted"):
            for _ in range(20):
                made, _ = accounts.create_key(account_id, own, by=weak)
                accounts.delete_key(account_id, made.id, weak)
        with pytest.raises(PermissionDeniedError, match="operator"):
            accounts.delete_key(account_id, key_id(owner), weak)

        made, _ = accounts.create_key(account_id, A_KEY, by=owner)
        accounts.delete_key(account_id, key_id(weak), owner)

        assert {key.id for key in accounts.keys(account_id)} == {made.id, key_id(owner)}
        assert CHANGES_PER_DAY == 300

    def test_keys_made_and_deleted_all_day_leave_few_bytes_in_its_item(
        self,
        accounts: Accounts,
        account_id: str,
        owner: Actor,
        weak: Actor,
        table: tuple[DynamoDBClient, str],
        clock: Clock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Every write to the item is paid by its size. A deleted key's mark stays until midnight,
        because an authentication that is cached somewhere may still name the key.
        """
        most = 10
        monkeypatch.setattr("losi.management.writes.CHANGES_PER_DAY", most)
        for actor in (weak, owner):
            with pytest.raises(QuotaExceededError):
                for _ in range(3 * most):
                    made, _ = accounts.create_key(account_id, NewKey("own", WRITER), by=actor)
                    accounts.delete_key(account_id, made.id, actor)

        client, name = table
        key = {"pk": {"S": f"ACCOUNT#{account_id}"}, "sk": {"S": f"DAY#{clock_day(clock)}"}}
        item = client.get_item(TableName=name, Key=key)["Item"]
        marks = [attribute for attribute in item if attribute.startswith("v_")]

        assert 0 < len(marks) <= 2 * most
        assert sum(len(mark) + len(item[mark]["N"]) for mark in marks) <= 20 * len(marks)
        assert set(item) - set(marks) <= {"pk", "sk", "ttl"}

    def test_full_keys_have_an_end_too_but_not_the_operator(
        self,
        accounts: Accounts,
        account_id: str,
        owner: Actor,
        clock: Clock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("losi.management.writes.CHANGES_PER_DAY", 2)
        for _ in range(2):
            made, _ = accounts.create_key(account_id, A_KEY, by=owner)
            accounts.delete_key(account_id, made.id, owner)

        with pytest.raises(QuotaExceededError) as caught:
            accounts.create_key(account_id, A_KEY, by=owner)
        for _ in range(12):  # more than the plan has
            last, _ = accounts.create_key(account_id, A_KEY)
        clock.advance(86_400)
        accounts.change_key(account_id, last.id, _renamed, owner)

        assert caught.value.code == "key_change_limit"

    def test_deleted_keys_leave_their_number_free(
        self, accounts: Accounts, account_id: str, owner: Actor
    ) -> None:
        for _ in range(15):
            made, _ = accounts.create_key(account_id, A_KEY, by=owner)
            accounts.delete_key(account_id, made.id, owner)

        assert accounts.account(account_id).key_count == 1
