"""Which account a person of an issuer signs in to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from losi.errors import InvalidRequestError, PermissionDeniedError, StoreUnavailableError
from losi.identity.account import Account
from losi.management.accounts import Accounts
from losi.management.logins import Identity, Logins, SelfSignUp
from losi.store.table import Table
from tests.dynamodb_client import TABLE
from tests.ledger_world import Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ADA = Identity("https://issuer.example", "ada", "ada@example.com", "Ada Lovelace")


@pytest.fixture
def store(client: DynamoDBClient) -> Table:
    return Table(client, TABLE)


class TestAPersonWithAnAccount:
    @pytest.fixture
    def logins(self, store: Table, accounts: Accounts, clock: Clock) -> Logins:
        return Logins(store, accounts, None, clock)

    def test_is_known_by_the_verified_address_and_then_by_the_issuer_s_subject(
        self, logins: Logins, accounts: Accounts, account_id: str
    ) -> None:
        assert logins.account_for(replace(ADA, email="Ada@Example.com")).id == account_id
        assert logins.account_for(replace(ADA, email="moved@example.com")).id == account_id
        assert logins.account_for(replace(ADA, email="")).id == account_id
        assert len(accounts.sign_ins(account_id)) == 1

    @pytest.mark.parametrize(
        "other", [{"subject": "eve"}, {"issuer": "https://other.example"}], ids=str
    )
    def test_is_nobody_else(self, logins: Logins, account_id: str, other: dict[str, str]) -> None:
        logins.account_for(ADA)
        somebody = replace(ADA, email="eve@example.com", **other)

        with pytest.raises(PermissionDeniedError) as refused:
            logins.account_for(somebody)

        assert refused.value.code == "no_account"

    def test_needs_an_address_that_is_verified(self, logins: Logins, account_id: str) -> None:
        with pytest.raises(PermissionDeniedError) as refused:
            logins.account_for(replace(ADA, email=""))

        assert refused.value.code == "email_not_verified"

    def test_whose_account_was_deleted_is_led_to_the_next_one(
        self, logins: Logins, accounts: Accounts, store: Table, account_id: str
    ) -> None:
        logins.account_for(ADA)
        [link] = [item for item in store.everything() if item["pk"]["S"].startswith("LOGIN#")]
        accounts.delete_account(account_id)
        store.put(link)  # as if the deletion had stopped half way
        again = accounts.create_account("free", email=ADA.email)

        assert logins.account_for(ADA).id == again.id
        assert logins.account_for(replace(ADA, email="")).id == again.id

    def test_is_not_sent_away_by_a_store_that_fails(
        self, logins: Logins, accounts: Accounts, account_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        logins.account_for(ADA)

        def fail(_: str) -> Account:
            raise StoreUnavailableError

        monkeypatch.setattr(accounts, "account", fail)

        with pytest.raises(StoreUnavailableError):
            logins.account_for(ADA)


class TestANewPerson:
    @pytest.fixture
    def logins(self, store: Table, accounts: Accounts, clock: Clock) -> Logins:
        return Logins(store, accounts, SelfSignUp("plus", accounts_a_day=2), clock)

    @pytest.mark.parametrize(
        ("name", "shown"),
        [("Ada Lovelace", "Ada Lovelace"), ("", "ada"), ("A" * 101, "A" * 100)],
    )
    def test_gets_an_account_without_api_access(
        self, logins: Logins, accounts: Accounts, name: str, shown: str
    ) -> None:
        made = logins.account_for(replace(ADA, name=name))

        assert accounts.account(made.id) == made
        assert (made.name, made.email, made.plan_name) == (shown, ADA.email, "plus")
        assert not made.api_access
        assert logins.account_for(ADA) == made

    def test_is_one_of_so_many_a_day(self, logins: Logins, store: Table, clock: Clock) -> None:
        def person(n: int) -> Identity:
            return Identity(ADA.issuer, str(n), f"{n}@example.com", "")

        for n in range(2):
            logins.account_for(person(n))
        with pytest.raises(PermissionDeniedError) as refused:
            logins.account_for(person(3))
        counted = store.item("SIGNUPS#2026-11-23", "COUNT")
        clock.advance(86_400)
        logins.account_for(person(3))

        assert refused.value.code == "too_many_accounts"
        assert counted is not None and counted["count"] == {"N": "2"}
        assert int(counted["ttl"]["N"]) == int(clock.now) + 2 * 86_400

    def test_who_signs_in_twice_at_once_gets_one_account(
        self, logins: Logins, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = accounts.create_account("free", email=ADA.email)
        found = iter([None, made])
        monkeypatch.setattr(accounts, "by_email", lambda _: next(found))

        assert logins.account_for(ADA) == made

    def test_whom_the_store_refuses_is_told_why(
        self, logins: Logins, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any, **__: Any) -> Account:
            raise InvalidRequestError("The e-mail addresses are not indexed yet.")

        monkeypatch.setattr(accounts, "create_account", refuse)

        with pytest.raises(InvalidRequestError, match="not indexed"):
            logins.account_for(ADA)
