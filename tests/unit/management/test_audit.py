"""Who did what stands in the audit log, written with the deed; and what a deed depends on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from losi.errors import (
    AuthenticationError,
    InvalidRequestError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    StaleAuthenticationError,
    StoreUnavailableError,
)
from losi.identity.audit import KEPT_DAYS, Actor, Record
from losi.identity.authenticator import UNSEEN_BURST, Authenticator
from losi.identity.key import Key
from losi.identity.principal import ALL_PERMISSIONS
from losi.identity.secret import Secret, mint
from losi.management.accounts import Accounts, NewKey
from losi.management.writes import CHANGES_PER_DAY
from losi.store.table import Table
from tests.account_world import A_KEY, first_key, holder, two_adas
from tests.ledger_world import Clock
from tests.unit.conftest import TABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

WRITER = frozenset({"api_keys.write"})


@pytest.fixture
def account_id(accounts: Accounts) -> str:
    return accounts.create_account("ultra", name="Ada Lovelace", email="ada@example.com").id


@pytest.fixture
def owner(accounts: Accounts, authenticator: Authenticator, account_id: str) -> Actor:
    return first_key(accounts, authenticator, account_id)


@pytest.fixture
def weak(accounts: Accounts, authenticator: Authenticator, account_id: str) -> Actor:
    return first_key(accounts, authenticator, account_id, WRITER)


def clock_day(clock: Clock) -> str:
    return datetime.fromtimestamp(clock(), UTC).date().isoformat()


def key_id(actor: Actor) -> str:
    assert actor.caller is not None
    return actor.caller.key_id


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
        clock.advance(KEPT_DAYS * 86_400 + 1)

        assert accounts.audit_log(account_id, 10) == []
        assert Table(client, TABLE).newest(f"AUDIT#{account_id}", 10, None, 0)

    def test_pages_follow_one_another(self, accounts: Accounts, account_id: str) -> None:
        for plan in ("free", "plus", "pro"):
            accounts.set_plan(account_id, plan)
        whole = accounts.audit_log(account_id, 10)

        first = accounts.audit_log(account_id, 2)
        second = accounts.audit_log(account_id, 2, first[-1].sort)

        assert first + second == whole


class TestBursts:
    def refuse(self, authenticator: Authenticator, key: Secret, times: int) -> None:
        for _ in range(times):
            with pytest.raises(AuthenticationError):
                authenticator.authenticate(key, fresh=True)

    def test_ten_refusals_of_a_key_within_a_minute_are_one_record(
        self, accounts: Accounts, authenticator: Authenticator, account_id: str
    ) -> None:
        key, secret = accounts.create_key(account_id, A_KEY)
        accounts.change_key(account_id, key.id, lambda key: replace(key, is_enabled=False))

        self.refuse(authenticator, secret, 9)
        assert accounts.audit_log(account_id, 1)[0].action == "key.changed"
        self.refuse(authenticator, secret, 21)

        [burst] = [r for r in accounts.audit_log(account_id, 10) if r.action == "key.refused"]
        assert (burst.actor, burst.target) == (f"key_{key.id}", f"key_{key.id}")
        assert burst.after == {"refusals": 10}

    def test_nine_a_minute_are_none(
        self, accounts: Accounts, authenticator: Authenticator, account_id: str, clock: Clock
    ) -> None:
        key, secret = accounts.create_key(account_id, A_KEY)
        accounts.change_key(account_id, key.id, lambda key: replace(key, is_enabled=False))

        for _ in range(5):
            self.refuse(authenticator, secret, 9)
            clock.advance(60)

        actions = [record.action for record in accounts.audit_log(account_id, 10)]
        assert "key.refused" not in actions

    def test_a_key_that_does_not_exist_is_nobody_s(
        self, accounts: Accounts, authenticator: Authenticator, account_id: str
    ) -> None:
        self.refuse(authenticator, mint(account_id), 20)

        assert [r.action for r in accounts.audit_log(account_id, 10)] == ["account.created"]


class TestUnknownKeys:
    def test_one_is_read_once_a_minute(
        self,
        client: DynamoDBClient,
        accounts: Accounts,
        authenticator: Authenticator,
        account_id: str,
        clock: Clock,
    ) -> None:
        reads: list[Any] = []
        client.meta.events.register(
            "before-call.dynamodb.BatchGetItem", lambda **request: reads.append(request)
        )
        unknown = mint(account_id)

        for _ in range(5):
            with pytest.raises(AuthenticationError):
                authenticator.authenticate(unknown)
        assert len(reads) == 1
        clock.advance(61)
        with pytest.raises(AuthenticationError):
            authenticator.authenticate(unknown)

        assert len(reads) == 2

    def test_a_flood_of_them_does_not_shut_out_who_was_here(
        self,
        accounts: Accounts,
        authenticator: Authenticator,
        account_id: str,
        clock: Clock,
    ) -> None:
        _, good = accounts.create_key(account_id, A_KEY)
        authenticator.authenticate(good)
        for _ in range(UNSEEN_BURST - 1):
            with pytest.raises(AuthenticationError):
                authenticator.authenticate(mint(account_id))

        with pytest.raises(RateLimitError):
            authenticator.authenticate(mint(account_id))

        assert authenticator.authenticate(good, fresh=True)
        clock.advance(1)
        with pytest.raises(AuthenticationError):
            authenticator.authenticate(mint(account_id))


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


class TestEmailAddresses:
    def test_no_two_accounts_have_one(self, accounts: Accounts, account_id: str) -> None:
        with pytest.raises(InvalidRequestError, match=f"acct_{account_id}"):
            accounts.create_account("free", email="ADA@example.com")

        found = accounts.by_email("Ada@Example.com")
        assert found is not None and found.id == account_id
        assert accounts.by_email("nobody@example.com") is None

    def test_a_deleted_account_gives_its_address_back(
        self, accounts: Accounts, account_id: str
    ) -> None:
        accounts.delete_account(account_id)

        assert accounts.create_account("free", email="ada@example.com")

    def test_those_of_version_0_1_are_unknown_until_they_are_indexed(
        self, client: DynamoDBClient, accounts: Accounts
    ) -> None:
        client.delete_item(TableName=TABLE, Key={"pk": {"S": "EMAIL#"}, "sk": {"S": "INDEXED"}})
        two_adas(client)

        with pytest.raises(StoreUnavailableError):
            accounts.by_email("ada@example.com")
        with pytest.raises(InvalidRequestError, match="losi account index"):
            accounts.create_account("free", email="new@example.com")
        [same] = accounts.index_emails()

        assert {account.name for account in same} == {"Ada Lovelace", "Ada again"}
        found = accounts.by_email("ada@example.com")
        assert found is not None and found.id == same[0].id
        assert accounts.create_account("free", email="new@example.com")
        assert accounts.index_emails() == [same]

    def test_a_lookup_whose_account_version_0_1_deleted_is_free(
        self, client: DynamoDBClient, accounts: Accounts, account_id: str
    ) -> None:
        profile = {"pk": {"S": f"ACCOUNT#{account_id}"}, "sk": {"S": "PROFILE"}}
        client.delete_item(TableName=TABLE, Key=profile)

        made = accounts.create_account("free", email="ada@example.com")

        found = accounts.by_email("ada@example.com")
        assert found is not None and found.id == made.id
