"""A full key gets each new permission, also when version 0.1 made it; every other key gets none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from losi.identity import key as key_module
from losi.identity import principal
from losi.identity.account import Account
from losi.identity.authenticator import Authenticator
from losi.identity.key import FIRST_PERMISSIONS, Key, NewKey
from losi.identity.principal import ALL_PERMISSIONS, PERMISSIONS
from losi.management.accounts import Accounts
from losi.store.client import Item
from tests.catalogue import CATALOGUE
from tests.dynamodb_client import TABLE
from tests.old_items import written_by

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NEW = "galaxies.read"

old_items = written_by("0.1")


@pytest.fixture
def a_new_permission(monkeypatch: pytest.MonkeyPatch) -> str:
    """As a later version knows it."""
    monkeypatch.setitem(PERMISSIONS, NEW, "read galaxies")
    every = ALL_PERMISSIONS | {NEW}
    monkeypatch.setattr(principal, "ALL_PERMISSIONS", every)
    monkeypatch.setattr(key_module, "ALL_PERMISSIONS", every)
    return NEW


def stored(permissions: frozenset[str] = ALL_PERMISSIONS) -> Key:
    return replace(Key.from_item(old_items.item("KEY#", "full")), permissions=permissions)


def narrowed_by_0_1(item: Item, permissions: list[str]) -> Item:
    """Version 0.1 sets the attributes it knows and leaves the others as they are."""
    return {**item, "permissions": {"SS": permissions}}


class TestOfVersion01:
    def test_one_with_all_its_permissions_is_full(self, a_new_permission: str) -> None:
        key = Key.from_item(old_items.item("KEY#", "full"))

        assert key.is_full
        assert a_new_permission in key.as_json()["permissions"]

    @pytest.mark.parametrize("name", ["weak", "ends"])
    def test_one_with_fewer_keeps_what_it_has(self, name: str, a_new_permission: str) -> None:
        item = old_items.item("KEY#", name)

        assert Key.from_item(item).permissions == frozenset(item["permissions"]["SS"])

    def test_its_owner_may_use_the_new_permission_and_give_it(
        self, client: DynamoDBClient, a_new_permission: str
    ) -> None:
        old_items.load(client, TABLE)

        caller = Authenticator(client, TABLE, CATALOGUE.plans).authenticate(
            old_items.secrets["full"]
        )

        caller.require(a_new_permission)

    def test_what_0_1_narrowed_is_narrow(self, a_new_permission: str) -> None:
        item = narrowed_by_0_1(stored().to_item("0123456789"), ["models.list"])

        assert Key.from_item(item).permissions == {"models.list"}

    def test_it_finds_all_its_names_in_a_full_key(self, a_new_permission: str) -> None:
        """Its code reads the set alone, and passes over names that it does not know."""
        names = set(stored().to_item("0123456789")["permissions"]["SS"])

        assert names >= FIRST_PERMISSIONS


class TestOfToday:
    def test_a_full_one_gets_what_comes_later(self, request: pytest.FixtureRequest) -> None:
        written_before = stored().to_item("0123456789")

        new = request.getfixturevalue("a_new_permission")

        assert new in Key.from_item(written_before).permissions

    def test_one_with_the_first_permissions_alone_gets_none(self, a_new_permission: str) -> None:
        key = stored(FIRST_PERMISSIONS)

        assert Key.from_item(key.to_item("0123456789")).permissions == FIRST_PERMISSIONS

    @pytest.mark.parametrize("left_out", sorted(PERMISSIONS))
    def test_narrowing_ends_it(
        self, accounts: Accounts, left_out: str, request: pytest.FixtureRequest
    ) -> None:
        account = accounts.create_account("pro")
        key, _ = accounts.create_key(account.id, NewKey("full", ALL_PERMISSIONS))
        fewer = ALL_PERMISSIONS - {left_out}

        accounts.change_key(account.id, key.id, lambda key: replace(key, permissions=fewer))
        request.getfixturevalue("a_new_permission")

        assert accounts.key(account.id, key.id).permissions == fewer

    def test_the_api_lists_names(self) -> None:
        shown: dict[str, Any] = stored().as_json()

        assert shown["permissions"] == list(PERMISSIONS)
        assert "full" not in shown


class TestTheTagOfAnAccount:
    """What providers know it by."""

    def test_it_is_random_and_survives(self, accounts: Accounts) -> None:
        tags = {accounts.create_account("pro").id: "" for _ in range(20)}
        for account_id in tags:
            tags[account_id] = accounts.account(account_id).tag
            accounts.set_plan(account_id, "free")
            assert accounts.account(account_id).tag == tags[account_id]

        assert len(set(tags.values())) == 20
        assert not any(account_id in tag for account_id, tag in tags.items())

    def test_one_of_version_0_1_always_has_the_same(self) -> None:
        tags = {Account.from_item(item).tag for item in 2 * [old_items.item("PROFILE", "Grace")]}

        assert len(tags) == 1
        assert tags != {Account.from_item(old_items.item("PROFILE", "Ada Lovelace")).tag}

    def test_the_principal_carries_it(
        self, accounts: Accounts, authenticator: Authenticator
    ) -> None:
        account = accounts.create_account("pro")
        _, secret = accounts.create_key(account.id, NewKey("key", ALL_PERMISSIONS))

        assert authenticator.authenticate(secret).tag == account.tag
