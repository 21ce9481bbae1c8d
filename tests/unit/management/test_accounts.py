"""Accounts and keys in the table. What concurrency does to them: tests/integration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from losi.errors import (
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
)
from losi.identity.authenticator import Authenticator
from losi.identity.key import Key, NewKey
from losi.identity.secret import Secret, mint, new_account_id, new_key_id
from losi.management.accounts import Accounts
from tests.dynamodb_client import TABLE
from tests.ledger_world import BlockingLedger, Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
from losi.identity.principal import ALL_PERMISSIONS
from tests.account_world import A_KEY, CHAT, Caller, disabled, first_key, holder, items
from tests.catalogue import CATALOGUE


class TestAccounts:
    def test_an_account_is_what_was_asked_for(self, accounts: Accounts, clock: Clock) -> None:
        made = accounts.create_account("plus", name="Ada", email="ada@example.com")

        account = accounts.account(made.id)

        assert account == made
        assert (account.plan_name, account.name, account.email) == (
            "plus",
            "Ada",
            "ada@example.com",
        )
        assert account.created_at == datetime.fromtimestamp(clock.now, UTC)
        assert account.api_access
        assert not account.disabled

    def test_an_id_is_given_once(self, accounts: Accounts) -> None:
        account = accounts.create_account("free")

        with pytest.raises(InvalidRequestError, match="exists already"):
            accounts.create_account("ultra", account_id=account.id)

        assert accounts.account(account.id).plan_name == "free"

    def test_all_accounts_are_listed_oldest_first(self, accounts: Accounts, clock: Clock) -> None:
        first = accounts.create_account("free")
        clock.advance(1)
        second = accounts.create_account("pro")

        listed = [account.id for account in accounts.list_accounts()]

        assert listed.index(first.id) < listed.index(second.id)

    @pytest.mark.parametrize("plan", ["gold", "", "FREE"])
    def test_unknown_plans_are_refused(self, accounts: Accounts, plan: str) -> None:
        account = accounts.create_account("free")

        gives: list[Callable[[], object]] = [
            lambda: accounts.set_plan(account.id, plan),
            lambda: accounts.create_account(plan),
        ]
        for give in gives:
            with pytest.raises(InvalidRequestError, match="free, plus, pro, ultra") as refused:
                give()
            assert (refused.value.param, refused.value.code) == ("plan", "invalid_value")

    def test_what_is_not_there_is_not_found(self, accounts: Accounts) -> None:
        nobody = new_account_id()
        calls: list[Callable[[], object]] = [
            lambda: accounts.account(nobody),
            lambda: accounts.set_plan(nobody, "pro"),
            lambda: accounts.set_disabled(nobody, True),
            lambda: accounts.set_api_access(nobody, False),
            lambda: accounts.delete_account(nobody),
            lambda: accounts.create_key(nobody, A_KEY),
            lambda: accounts.key(nobody, new_key_id()),
            lambda: accounts.change_key(nobody, new_key_id(), disabled),
            lambda: accounts.delete_key(nobody, new_key_id()),
        ]

        for call in calls:
            with pytest.raises(NotFoundError):
                call()


class TestKeyLimits:
    @pytest.mark.parametrize(("plan", "limit"), [("free", 1), ("plus", 2), ("pro", 5)])
    def test_a_plan_has_its_number_of_keys(
        self, accounts: Accounts, authenticator: Authenticator, plan: str, limit: int
    ) -> None:
        account = accounts.create_account(plan)
        owner = first_key(accounts, authenticator, account.id)
        for _ in range(limit - 1):
            accounts.create_key(account.id, A_KEY, by=owner)

        with pytest.raises(
            PermissionDeniedError, match=f"{plan} plan allows {limit} API"
        ) as caught:
            accounts.create_key(account.id, A_KEY, by=owner)

        assert caught.value.code == "key_limit_reached"
        assert "upgrade" in caught.value.message
        assert len(accounts.keys(account.id)) == limit

    def test_the_largest_plan_has_ten_and_nothing_to_upgrade_to(
        self, accounts: Accounts, authenticator: Authenticator
    ) -> None:
        account = accounts.create_account("ultra")
        owner = first_key(accounts, authenticator, account.id)
        for _ in range(9):
            accounts.create_key(account.id, A_KEY, by=owner)

        with pytest.raises(PermissionDeniedError, match=r"Delete one first\.$"):
            accounts.create_key(account.id, A_KEY, by=owner)

    def test_deleting_makes_room(self, accounts: Accounts) -> None:
        account = accounts.create_account("free")
        key, _ = accounts.create_key(account.id, A_KEY)
        accounts.delete_key(account.id, key.id)

        accounts.create_key(account.id, A_KEY)

        assert accounts.account(account.id).key_count == 1

    def test_a_smaller_plan_keeps_the_keys_but_gives_no_more(
        self, accounts: Accounts, authenticator: Authenticator
    ) -> None:
        account = accounts.create_account("plus")
        _, secret = accounts.create_key(account.id, NewKey("owner's", ALL_PERMISSIONS))
        accounts.create_key(account.id, A_KEY)

        accounts.set_plan(account.id, "free")

        assert len(accounts.keys(account.id)) == 2
        with pytest.raises(PermissionDeniedError, match="this account has 2"):
            accounts.create_key(account.id, A_KEY, by=holder(authenticator, secret))

    def test_a_disabled_account_gets_no_key(self, accounts: Accounts) -> None:
        account = accounts.create_account("free")
        accounts.set_disabled(account.id, True)

        with pytest.raises(PermissionDeniedError, match="disabled"):
            accounts.create_key(account.id, A_KEY)

    def test_two_that_make_the_last_key_at_once_make_one(
        self,
        client: DynamoDBClient,
        accounts: Accounts,
        authenticator: Authenticator,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        account = accounts.create_account("plus")
        owner = first_key(accounts, authenticator, account.id)
        transact, raced = client.transact_write_items, False

        def slower(**request: Any) -> Any:
            nonlocal raced
            if not raced:
                raced = True
                accounts.create_key(account.id, A_KEY, by=owner)
            return transact(**request)

        monkeypatch.setattr(client, "transact_write_items", slower)

        with pytest.raises(PermissionDeniedError, match="plus plan allows 2"):
            accounts.create_key(account.id, A_KEY, by=owner)
        assert len(accounts.keys(account.id)) == 2


class TestKeys:
    def test_a_key_is_stored_as_made(
        self, accounts: Accounts, account_id: str, clock: Clock
    ) -> None:
        expires = datetime.fromtimestamp(clock.now + 60, UTC)
        made, secret = accounts.create_key(account_id, NewKey("ci", CHAT, expires, test=True))

        [listed] = accounts.keys(account_id)

        assert listed == made == accounts.key(account_id, made.id)
        assert (listed.name, listed.permissions, listed.test) == ("ci", CHAT, True)
        assert listed.expires_at == expires
        assert listed.last_used_at is None
        assert listed.hash == secret.hash

    def test_the_secret_is_nowhere_in_the_table(
        self, client: DynamoDBClient, accounts: Accounts, account_id: str
    ) -> None:
        _, secret = accounts.create_key(account_id, A_KEY)

        stored = repr(items(client, account_id))

        assert secret.secret not in stored
        assert secret.text not in stored

    def test_a_change_keeps_the_rest(self, accounts: Accounts, account_id: str) -> None:
        key, _ = accounts.create_key(account_id, A_KEY)

        changed = accounts.change_key(account_id, key.id, lambda k: replace(k, name="renamed"))

        assert changed == replace(key, name="renamed", version=key.version + 1)
        assert accounts.key(account_id, key.id) == changed

    def test_an_expiry_can_be_taken_away(
        self, accounts: Accounts, account_id: str, clock: Clock
    ) -> None:
        expires = datetime.fromtimestamp(clock.now + 60, UTC)
        key, _ = accounts.create_key(account_id, NewKey("short", CHAT, expires))

        accounts.change_key(account_id, key.id, lambda k: replace(k, expires_at=None))

        assert accounts.key(account_id, key.id).expires_at is None

    def test_changes_of_two_at_once_both_land(self, accounts: Accounts, account_id: str) -> None:
        key, _ = accounts.create_key(account_id, A_KEY)
        seen: list[Key] = []

        def rename_while_another_disables(read: Key) -> Key:
            if not seen:
                accounts.change_key(account_id, key.id, disabled)
            seen.append(read)
            return replace(read, name="renamed")

        changed = accounts.change_key(account_id, key.id, rename_while_another_disables)

        assert [read.is_enabled for read in seen] == [True, False]
        assert (changed.name, changed.is_enabled) == ("renamed", False)

    def test_the_second_delete_finds_nothing(self, accounts: Accounts, account_id: str) -> None:
        key, _ = accounts.create_key(account_id, A_KEY)
        accounts.delete_key(account_id, key.id)

        with pytest.raises(NotFoundError):
            accounts.delete_key(account_id, key.id)

        assert accounts.account(account_id).key_count == 0

    def test_another_account_s_key_is_not_found(self, accounts: Accounts, account_id: str) -> None:
        stranger = accounts.create_account("free")
        key, _ = accounts.create_key(stranger.id, A_KEY)

        for call in (accounts.key, accounts.delete_key):
            with pytest.raises(NotFoundError):
                call(account_id, key.id)

    def test_a_given_secret_is_used(self, accounts: Accounts, account_id: str) -> None:
        mine = mint(account_id)

        key, secret = accounts.create_key(account_id, A_KEY, mine)

        assert secret == mine
        assert key.id == mine.key_id


class TestLastUse:
    @pytest.fixture
    def secret(self, accounts: Accounts) -> Secret:
        return accounts.create_key(accounts.create_account("pro").id, A_KEY)[1]

    def last_used(self, accounts: Accounts, secret: Secret) -> datetime | None:
        return accounts.key(secret.account_id, secret.key_id).last_used_at

    def test_management_endpoints_touch_a_key_once_a_minute(
        self,
        client: DynamoDBClient,
        accounts: Accounts,
        authenticator: Authenticator,
        secret: Secret,
        clock: Clock,
    ) -> None:
        principal = authenticator.authenticate(secret)
        writes: list[Any] = []
        client.meta.events.register(
            "before-call.dynamodb.UpdateItem", lambda **request: writes.append(request)
        )

        clock.set("2026-11-23T12:34:56")
        accounts.touch(principal)
        accounts.touch(principal)
        assert len(writes) == 1
        assert self.last_used(accounts, secret) == datetime(2026, 11, 23, 12, 34, tzinfo=UTC)

        clock.set("2026-11-23T12:35:00")
        accounts.touch(principal)
        assert len(writes) == 2
        assert self.last_used(accounts, secret) == datetime(2026, 11, 23, 12, 35, tzinfo=UTC)

    def test_a_slower_clock_does_not_turn_it_back(
        self,
        client: DynamoDBClient,
        ledger: BlockingLedger,
        accounts: Accounts,
        authenticator: Authenticator,
        secret: Secret,
        clock: Clock,
    ) -> None:
        principal = authenticator.authenticate(secret)
        accounts.touch(principal)
        before = self.last_used(accounts, secret)

        later = Clock("2026-11-23T11:00:00")
        Accounts(client, TABLE, ledger, CATALOGUE.plans, later).touch(principal)

        assert self.last_used(accounts, secret) == before

    def test_a_change_does_not_put_an_older_one_back(
        self,
        client: DynamoDBClient,
        accounts: Accounts,
        authenticator: Authenticator,
        secret: Secret,
        monkeypatch: pytest.MonkeyPatch,
        clock: Clock,
    ) -> None:
        """The key is used between the change's read and its write."""
        principal = authenticator.authenticate(secret)
        accounts.touch(principal)
        clock.advance(3_600)

        def used_meanwhile(key: Key) -> Key:
            accounts.touch(principal)
            return replace(key, name="renamed")

        accounts.change_key(secret.account_id, secret.key_id, used_meanwhile)

        assert accounts.key(secret.account_id, secret.key_id).name == "renamed"
        assert self.last_used(accounts, secret) == datetime(2026, 11, 23, 13, 0, tzinfo=UTC)

    def test_a_key_that_was_deleted_meanwhile_does_not_come_back(
        self,
        client: DynamoDBClient,
        accounts: Accounts,
        authenticator: Authenticator,
        secret: Secret,
    ) -> None:
        principal = authenticator.authenticate(secret)
        accounts.delete_key(secret.account_id, secret.key_id)

        accounts.touch(principal)

        assert f"KEY#{secret.key_id}" not in items(client, secret.account_id)

    def test_chat_s_last_use_is_known_from_the_ledger(
        self,
        accounts: Accounts,
        authenticator: Authenticator,
        ledger: BlockingLedger,
        secret: Secret,
        clock: Clock,
    ) -> None:
        accounts.touch(authenticator.authenticate(secret))
        clock.set("2026-11-23T13:14:15")

        Caller(authenticator, ledger, secret).call()

        expected = datetime(2026, 11, 23, 13, 14, tzinfo=UTC)
        assert self.last_used(accounts, secret) == expected
        [listed] = accounts.keys(secret.account_id)
        assert listed.last_used_at == expected
