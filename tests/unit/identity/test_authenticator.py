"""From an API key to a Principal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from losi.errors import PermissionDeniedError
from losi.identity.authenticator import (
    CACHE_SECONDS,
    CACHE_SIZE,
    UNKNOWN_SECONDS,
    UNSEEN_BURST,
    UNSEEN_PER_SECOND,
    Authenticator,
    Remembered,
)
from losi.identity.key import NewKey
from losi.identity.secret import Secret, mint
from losi.management.accounts import Accounts
from tests.dynamodb_client import TABLE
from tests.ledger_world import Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
from tests.account_world import CHAT, refusal

STRANGER = Secret("Account123", "Key45678", "0123456789abcdefghijklmnopqr")


def at(now: float) -> datetime:
    return datetime.fromtimestamp(now, UTC)


class Reads:
    """Counts the round trips to the table."""

    def __init__(self, client: DynamoDBClient) -> None:
        self.count = 0
        client.meta.events.register("before-call.dynamodb", self._seen)

    def _seen(self, **_: Any) -> None:
        self.count += 1


class TestGenuineKeys:
    def test_a_key_speaks_for_its_account(
        self, authenticator: Authenticator, accounts: Accounts, account_id: str
    ) -> None:
        key, secret = accounts.create_key(account_id, NewKey("a key", CHAT))

        principal = authenticator.authenticate(secret)

        assert (principal.account_id, principal.key_id) == (account_id, key.id)
        assert principal.permissions == CHAT
        assert principal.plan.name == "pro"
        assert not principal.test

    def test_a_new_key_costs_one_read_and_a_known_one_none(
        self, client: DynamoDBClient, authenticator: Authenticator, secret: Secret
    ) -> None:
        reads = Reads(client)

        first = authenticator.authenticate(secret)
        second = authenticator.authenticate(secret)

        assert first == second
        assert reads.count == 1

    def test_a_test_key_is_marked_as_such(
        self, authenticator: Authenticator, accounts: Accounts, account_id: str
    ) -> None:
        _, secret = accounts.create_key(account_id, NewKey("ci", CHAT, test=True))

        assert secret.text.startswith("losi-test-")
        assert authenticator.authenticate(secret).test

    def test_items_that_dynamodb_leaves_out_at_first_are_asked_for_again(
        self,
        client: DynamoDBClient,
        authenticator: Authenticator,
        secret: Secret,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        batch_get_item, answers = client.batch_get_item, []

        def one_at_a_time(RequestItems: Any) -> Any:
            first, *rest = RequestItems[TABLE]["Keys"]
            one: Any = {TABLE: {**RequestItems[TABLE], "Keys": [first]}}
            left: Any = {TABLE: {**RequestItems[TABLE], "Keys": rest}} if rest else {}
            response = batch_get_item(RequestItems=one)
            answers.append(response)
            return {**response, "UnprocessedKeys": left}

        monkeypatch.setattr(client, "batch_get_item", one_at_a_time)

        assert authenticator.authenticate(secret).plan.name == "pro"
        assert len(answers) == 2


class TestRefusedKeys:
    def test_unknown_accounts_unknown_keys_and_wrong_secrets_look_the_same(
        self, authenticator: Authenticator, account_id: str, secret: Secret
    ) -> None:
        impostors = [
            STRANGER,
            mint(account_id),
            mint(account_id, secret.key_id),
            replace(secret, test=True),  # the secret is right, the kind is made up
        ]

        refusals = [refusal(authenticator, impostor) for impostor in impostors]

        assert {error.status for error in refusals} == {401}
        assert {error.code for error in refusals} == {"invalid_api_key"}
        assert len({error.message for error in refusals}) == 1

    def test_a_disabled_key(
        self, authenticator: Authenticator, accounts: Accounts, account_id: str, secret: Secret
    ) -> None:
        accounts.change_key(account_id, secret.key_id, lambda key: replace(key, is_enabled=False))

        error = refusal(authenticator, secret)

        assert (error.status, error.code) == (401, "key_disabled")

    def test_an_expired_key_whose_entry_was_cached(
        self, authenticator: Authenticator, accounts: Accounts, account_id: str, clock: Clock
    ) -> None:
        new = NewKey("short", CHAT, at(clock.now + 100))
        _, secret = accounts.create_key(account_id, new)
        clock.advance(99)
        assert authenticator.authenticate(secret).key_expires_at == clock.now + 1

        clock.advance(1)
        error = refusal(authenticator, secret, fresh=False)

        assert (error.status, error.code) == (401, "key_expired")

    def test_a_deleted_key(
        self, authenticator: Authenticator, accounts: Accounts, account_id: str, secret: Secret
    ) -> None:
        authenticator.authenticate(secret)
        accounts.delete_key(account_id, secret.key_id)

        error = refusal(authenticator, secret)

        assert (error.status, error.code) == (401, "invalid_api_key")
        # and what was cached of it is gone
        assert refusal(authenticator, secret, fresh=False).status == 401

    def test_a_disabled_account(
        self, authenticator: Authenticator, accounts: Accounts, account_id: str, secret: Secret
    ) -> None:
        accounts.set_disabled(account_id, True)

        error = refusal(authenticator, secret)

        assert isinstance(error, PermissionDeniedError)
        assert error.code == "api_access_disabled"
        assert "account is disabled" in error.message

    def test_an_account_without_api_access(
        self, authenticator: Authenticator, accounts: Accounts, account_id: str, secret: Secret
    ) -> None:
        accounts.set_api_access(account_id, False)

        error = refusal(authenticator, secret)

        assert (error.status, error.code) == (403, "api_access_disabled")
        assert "switched off" in error.message

    def test_the_state_of_a_key_is_told_only_to_who_has_its_secret(
        self, authenticator: Authenticator, accounts: Accounts, account_id: str, secret: Secret
    ) -> None:
        accounts.change_key(account_id, secret.key_id, lambda key: replace(key, is_enabled=False))

        error = refusal(authenticator, mint(account_id, secret.key_id))

        assert error.code == "invalid_api_key"

    def test_a_plan_that_was_taken_away_is_our_fault(
        self, authenticator: Authenticator, accounts: Accounts, secret: Secret, client: Any
    ) -> None:
        client.update_item(
            TableName=TABLE,
            Key={"pk": {"S": f"ACCOUNT#{secret.account_id}"}, "sk": {"S": "PROFILE"}},
            UpdateExpression="SET #plan = :plan",
            ExpressionAttributeNames={"#plan": "plan"},
            ExpressionAttributeValues={":plan": {"S": "gold"}},
        )

        error = refusal(authenticator, secret)

        assert (error.status, error.type) == (500, "server_error")
        assert "'gold'" in error.message


class TestTheCache:
    def reads_after(self, client: DynamoDBClient, authenticator: Authenticator, key: Secret) -> int:
        reads = Reads(client)
        authenticator.authenticate(key)
        return reads.count

    def test_an_entry_lasts_five_minutes(
        self, client: DynamoDBClient, authenticator: Authenticator, secret: Secret, clock: Clock
    ) -> None:
        authenticator.authenticate(secret)

        clock.advance(CACHE_SECONDS - 1)
        assert self.reads_after(client, authenticator, secret) == 0
        clock.advance(1)
        assert self.reads_after(client, authenticator, secret) == 1

    def test_no_entry_lasts_over_midnight(
        self, client: DynamoDBClient, authenticator: Authenticator, secret: Secret, clock: Clock
    ) -> None:
        clock.now = clock.now // 86_400 * 86_400 + 86_399
        authenticator.authenticate(secret)
        assert self.reads_after(client, authenticator, secret) == 0

        clock.advance(1)

        assert self.reads_after(client, authenticator, secret) == 1

    def test_fresh_reads_and_renews_the_entry(
        self,
        client: DynamoDBClient,
        authenticator: Authenticator,
        accounts: Accounts,
        account_id: str,
        secret: Secret,
    ) -> None:
        authenticator.authenticate(secret)
        accounts.set_plan(account_id, "ultra")
        assert authenticator.authenticate(secret).plan.name == "pro"

        assert authenticator.authenticate(secret, fresh=True).plan.name == "ultra"

        assert self.reads_after(client, authenticator, secret) == 0
        assert authenticator.authenticate(secret).plan.name == "ultra"

    def test_the_entry_used_longest_ago_makes_room(
        self,
        client: DynamoDBClient,
        authenticator: Authenticator,
        accounts: Accounts,
        account_id: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("losi.identity.authenticator.CACHE_SIZE", 2)
        first, second, third = (
            accounts.create_key(account_id, NewKey(f"{n}", CHAT))[1] for n in range(3)
        )
        for key in (first, second, first, third):
            authenticator.authenticate(key)

        assert self.reads_after(client, authenticator, first) == 0
        assert self.reads_after(client, authenticator, third) == 0
        assert self.reads_after(client, authenticator, second) == 1
        assert CACHE_SIZE == 1024

    def test_it_holds_no_key(self, authenticator: Authenticator, secret: Secret) -> None:
        authenticator.authenticate(secret)

        assert secret.secret not in repr(vars(authenticator))


class TestForgedKeys:
    """The checksum of a key is public, so that anyone can make keys that must be looked up."""

    def forged(self, count: int) -> list[Secret]:
        return [replace(STRANGER, key_id=f"{number:08}") for number in range(count)]

    def test_the_same_one_is_read_once_a_minute(
        self, client: DynamoDBClient, authenticator: Authenticator, clock: Clock
    ) -> None:
        reads = Reads(client)

        errors = [refusal(authenticator, STRANGER) for _ in range(20)]
        assert reads.count == 1
        assert {error.status for error in errors} == {401}
        clock.advance(UNKNOWN_SECONDS)
        refusal(authenticator, STRANGER)
        assert reads.count == 2

    def test_many_different_ones_are_read_so_many_times_a_second_and_no_more(
        self, client: DynamoDBClient, authenticator: Authenticator, clock: Clock
    ) -> None:
        reads = Reads(client)

        errors = [refusal(authenticator, key) for key in self.forged(1000)]

        assert reads.count == UNSEEN_BURST
        assert [error.status for error in errors] == [401] * UNSEEN_BURST + [429] * 900
        clock.advance(1)
        for key in self.forged(1000):
            refusal(authenticator, key)
        assert reads.count == UNSEEN_BURST + UNSEEN_PER_SECOND

    def test_good_keys_that_were_in_use_are_answered_throughout(
        self, client: DynamoDBClient, authenticator: Authenticator, secret: Secret, clock: Clock
    ) -> None:
        authenticator.authenticate(secret)
        for key in self.forged(5000):
            refusal(authenticator, key)

        clock.advance(CACHE_SECONDS)

        assert authenticator.authenticate(secret).permissions == CHAT
        assert authenticator.authenticate(secret, fresh=True).permissions == CHAT

    def test_what_is_remembered_of_them_has_an_end(self, authenticator: Authenticator) -> None:
        unknown = Remembered(size=3)
        for number in range(10):
            unknown.remember(bytes([number]), until=60)

        assert [unknown.holds(bytes([number]), now=0) for number in (6, 7, 9)] == [
            False,
            True,
            True,
        ]
