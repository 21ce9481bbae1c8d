"""Changes of accounts and keys: seen by warm processes at once, whole even when the store fails."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from losi.errors import (
    NotFoundError,
    StaleAuthenticationError,
    StoreUnavailableError,
)
from losi.identity.authenticator import Authenticator
from losi.identity.key import NewKey
from losi.identity.secret import Secret
from losi.identity.session import Sessions
from losi.management.accounts import Accounts
from losi.management.export import export_account
from losi.store.table import Table
from tests.dynamodb_client import TABLE
from tests.ledger_world import BlockingLedger, Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
from tests.account_world import A_KEY, CHAT, Caller, disabled, items
from tests.catalogue import CATALOGUE


class TestCachedAuthentications:
    """A change is seen by the next request of a process that has the key cached."""

    @pytest.fixture
    def secret(self, accounts: Accounts) -> Secret:
        return accounts.create_key(accounts.create_account("pro").id, A_KEY)[1]

    @pytest.mark.parametrize("test", [False, True])
    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda a, k: a.delete_key(k.account_id, k.key_id), id="delete"),
            pytest.param(lambda a, k: a.change_key(k.account_id, k.key_id, disabled), id="disable"),
            pytest.param(lambda a, k: a.set_plan(k.account_id, "free"), id="plan"),
            pytest.param(lambda a, k: a.set_disabled(k.account_id, True), id="account"),
            pytest.param(lambda a, k: a.set_api_access(k.account_id, False), id="api-access"),
            pytest.param(lambda a, k: a.delete_account(k.account_id), id="delete-account"),
        ],
    )
    def test_every_change_ends_them(
        self,
        accounts: Accounts,
        authenticator: Authenticator,
        ledger: BlockingLedger,
        change: Any,
        test: bool,
    ) -> None:
        account = accounts.create_account("pro")
        _, secret = accounts.create_key(account.id, NewKey("warm", CHAT, test=test))
        warm = Caller(authenticator, ledger, secret)
        warm.call()

        change(accounts, secret)

        with pytest.raises(StaleAuthenticationError):
            warm.call()

    def test_a_change_whose_mark_failed_is_refused_and_heals_when_made_again(
        self,
        accounts: Accounts,
        authenticator: Authenticator,
        ledger: BlockingLedger,
        secret: Secret,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        warm = Caller(authenticator, ledger, secret)
        with monkeypatch.context() as broken, pytest.raises(StoreUnavailableError):
            broken.setattr(ledger, "mark_changed", _unavailable)
            accounts.delete_key(secret.account_id, secret.key_id)
        warm.call()  # the caller was told that nothing is sure yet

        accounts.delete_key(secret.account_id, secret.key_id)

        with pytest.raises(StaleAuthenticationError):
            warm.call()
        assert accounts.account(secret.account_id).key_count == 0

    def test_a_key_made_anew_under_an_old_id_is_not_outdated_by_its_past(
        self,
        accounts: Accounts,
        authenticator: Authenticator,
        ledger: BlockingLedger,
        clock: Clock,
    ) -> None:
        # the demo account of a database that outlives `make run`
        account = accounts.create_account("pro")
        _, secret = accounts.create_key(account.id, A_KEY)
        accounts.delete_account(account.id)
        clock.advance(10)

        accounts.create_account("pro", account_id=account.id)
        accounts.create_key(account.id, A_KEY, secret)

        Caller(authenticator, ledger, secret).call()


class TestDeletedAccounts:
    def test_nothing_but_two_marks_without_content_stays_for_two_days(
        self,
        client: DynamoDBClient,
        accounts: Accounts,
        authenticator: Authenticator,
        ledger: BlockingLedger,
        clock: Clock,
    ) -> None:
        account = accounts.create_account("ultra", name="Ada", email="ada@example.com")
        for _ in range(10):
            _, secret = accounts.create_key(account.id, A_KEY)
        for _ in range(16):  # with the keys more items than one batch takes
            Caller(authenticator, ledger, secret).call()
            clock.advance(86_400)

        accounts.delete_account(account.id)

        left = items(client, account.id)
        today = datetime.fromtimestamp(clock.now, UTC).date()
        assert set(left) == {f"DAY#{today}", f"TEST#{today}"}
        for item in left.values():
            assert set(item) == {"pk", "sk", "v_p", "ttl"}
            assert int(item["ttl"]["N"]) - int(clock.now) == 2 * 86_400
        with pytest.raises(NotFoundError):
            accounts.delete_account(account.id)

    def test_a_deletion_that_broke_off_is_completed_by_the_next(
        self, client: DynamoDBClient, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        account = accounts.create_account("pro")
        accounts.create_key(account.id, A_KEY)
        with monkeypatch.context() as broken, pytest.raises(StoreUnavailableError):
            broken.setattr(Table, "write_all", _unavailable)
            accounts.delete_account(account.id)
        assert accounts.account(account.id).disabled

        accounts.delete_account(account.id)

        assert {"PROFILE"}.isdisjoint(items(client, account.id))

    def test_the_export_holds_all_but_secrets(
        self,
        client: DynamoDBClient,
        accounts: Accounts,
        authenticator: Authenticator,
        ledger: BlockingLedger,
        clock: Clock,
    ) -> None:
        sessions = Sessions(client, TABLE, CATALOGUE.plans, clock)
        account = accounts.create_account("plus", name="Ada", email="ada@example.com")
        key, secret = accounts.create_key(account.id, A_KEY)
        Caller(authenticator, ledger, secret).call()
        today = datetime.fromtimestamp(clock.now, UTC).date()

        export = export_account(accounts, ledger, sessions, CATALOGUE, account.id, today)

        assert export["account"]["email"] == "ada@example.com"
        assert export["account"]["id"] == f"acct_{account.id}"
        assert [shown["id"] for shown in export["keys"]] == [f"key_{key.id}"]
        assert export["keys"][0]["key"] == "••••••••"
        [day] = export["usage"]
        assert (day["day"], day["requests"]) == (today.isoformat(), 1)
        assert (day["input_tokens"], day["output_tokens"]) == (3, 4)
        [pair] = day["by_key_and_model"]
        assert (pair["key"], pair["model"]) == (f"key_{key.id}", "gpt-4o")
        assert secret.hash not in repr(export)
        assert secret.secret not in repr(export)


class TestTheStoreFails:
    def test_a_write_that_meets_a_transaction_is_made_again(
        self, client: DynamoDBClient, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        account = accounts.create_account("free")
        failing_once(monkeypatch, client, "transact_write_items", conflict_in_transaction())
        accounts.create_key(account.id, A_KEY)
        failing_once(monkeypatch, client, "transact_write_items", conflict_in_transaction())
        accounts.set_plan(account.id, "pro")

        assert accounts.account(account.id).key_count == 1
        assert accounts.account(account.id).plan_name == "pro"

    def test_conflicts_without_end_are_a_503(
        self, client: DynamoDBClient, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        account = accounts.create_account("free")
        monkeypatch.setattr("losi.store.table.time.sleep", lambda seconds: None)

        def conflict(**_: Any) -> None:
            raise conflict_in_transaction()

        monkeypatch.setattr(client, "transact_write_items", conflict)

        with pytest.raises(StoreUnavailableError):
            accounts.create_key(account.id, A_KEY)

    @pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
    def test_other_failures_are_a_503_at_once(
        self, client: DynamoDBClient, accounts: Accounts, monkeypatch: pytest.MonkeyPatch, code: str
    ) -> None:
        account = accounts.create_account("free")
        failing_once(monkeypatch, client, "transact_write_items", failure(code))

        with pytest.raises(StoreUnavailableError):
            accounts.create_key(account.id, A_KEY)

    def test_batches_that_dynamodb_leaves_unfinished_are_finished(
        self, client: DynamoDBClient, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        account = accounts.create_account("pro")
        for _ in range(3):
            accounts.create_key(account.id, A_KEY)
        batch_write_item = client.batch_write_item

        def one_at_a_time(RequestItems: Any) -> Any:
            first, *rest = RequestItems[TABLE]
            response: Any = batch_write_item(RequestItems={TABLE: [first]})
            return {**response, "UnprocessedItems": {TABLE: rest} if rest else {}}

        monkeypatch.setattr(client, "batch_write_item", one_at_a_time)
        monkeypatch.setattr("losi.store.table.time.sleep", lambda seconds: None)

        accounts.delete_account(account.id)

        assert not accounts.keys(account.id)


def _unavailable(*_: Any, **__: Any) -> None:
    raise StoreUnavailableError


def failure(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "as told by a test"}}, "Write")


def conflict_in_transaction() -> ClientError:
    error = failure("TransactionCanceledException")
    error.response["CancellationReasons"] = [{"Code": "TransactionConflict"}, {"Code": "None"}]
    return error


def failing_once(
    monkeypatch: pytest.MonkeyPatch, client: DynamoDBClient, name: str, error: Exception
) -> None:
    operation, failed = getattr(client, name), False

    def fail_then_work(**request: Any) -> Any:
        nonlocal failed
        if not failed:
            failed = True
            raise error
        return operation(**request)

    monkeypatch.setattr(client, name, fail_then_work)
