"""What earlier versions stored means the same today, and is written on without loss."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from losi.errors import AuthenticationError, LosiError
from losi.identity.authenticator import Authenticator
from losi.identity.key import Key, NewKey
from losi.identity.secret import Secret
from losi.identity.session import Sessions, SessionToken
from losi.management.accounts import Accounts
from losi.management.logins import Identity, Logins
from losi.metering.day_item import Hold
from losi.metering.usage import Usage
from losi.store.table import Table
from tests.catalogue import CATALOGUE
from tests.dynamodb_client import TABLE
from tests.ledger_invariants import check_invariants
from tests.ledger_world import BlockingLedger, Clock
from tests.old_items import VERSIONS, OldItems, written_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

ADA = "Ada Lovelace"
NOVEMBER = (date(2026, 11, 1), date(2026, 11, 30))


@pytest.fixture(params=VERSIONS)
def old(request: pytest.FixtureRequest, client: DynamoDBClient, clock: Clock) -> Iterator[OldItems]:
    """The table as that version left it, at that moment; at the end, the ledger's invariants."""
    old = written_by(request.param)
    old.load(client, TABLE)
    clock.now = old.now
    yield old
    check_invariants(client, TABLE)


@pytest.fixture
def sessions(client: DynamoDBClient, clock: Clock) -> Sessions:
    return Sessions(client, TABLE, CATALOGUE.plans, clock)


@pytest.fixture
def ada(old: OldItems) -> str:
    account_id: str = old.says["accounts"][ADA]["id"]
    return account_id


def figures(usage: Usage) -> list[int]:
    return [
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
    ]


def used(ledger: BlockingLedger, account_id: str) -> list[dict[str, Any]]:
    return [
        {
            "day": day.day.isoformat(),
            "requests": day.requests,
            "total": figures(day.total),
            "by_key_model": {
                " ".join(pair): [requests, figures(usage)]
                for pair, (requests, usage) in sorted(day.by_key_model.items())
            },
        }
        for day in ledger.usage(account_id, *NOVEMBER)
    ]


class TestReading:
    def test_every_key_is_good_or_refused_as_it_was(
        self, old: OldItems, authenticator: Authenticator
    ) -> None:
        def verdict(secret: Secret) -> str:
            try:
                authenticator.authenticate(secret)
            except LosiError as error:
                return error.code or ""
            return "good"

        today = {name: verdict(secret) for name, secret in old.secrets.items()}

        assert len(today) > 10
        assert today == old.says["verdicts"]
        assert set(today.values()) >= {"good", "key_expired", "key_disabled", "invalid_api_key"}

    def test_accounts_and_keys_are_what_they_were(self, old: OldItems, accounts: Accounts) -> None:
        for account in accounts.list_accounts():
            was = old.says["accounts"][account.name]
            keys = {key.id: key.as_json() for key in accounts.keys(account.id)}

            assert account.plan_name == was["plan"]
            for key in was["keys"]:
                now = keys.pop(key["id"].removeprefix("key_"))
                # a full key has got what came since
                assert set(now.pop("permissions")) >= set(key.pop("permissions"))
                # a use in the minute of its making is shown no earlier than that
                used = key["last_used_at"] and max(key["last_used_at"], key["created_at"])
                key["last_used_at"] = used
                assert now.items() >= key.items()
            assert keys == {}

    def test_usage_adds_up_to_what_it_was_the_dead_requests_too(
        self, old: OldItems, ledger: BlockingLedger
    ) -> None:
        for account in old.says["accounts"].values():
            assert used(ledger, account["id"]) == account["usage"]
            assert used(ledger, account["id"]) == account["usage"]  # dead ones are billed once

    def test_every_session_is_good_or_over_as_it_was(
        self, old: OldItems, sessions: Sessions
    ) -> None:
        def verdict(token: SessionToken) -> str:
            try:
                sessions.read(token)
            except AuthenticationError as error:
                return error.code or ""
            return "good"

        assert {name: verdict(token) for name, token in old.tokens.items()} == old.says.get(
            "sessions", {}
        )

    def test_the_audit_log_says_what_it_said(self, old: OldItems, accounts: Accounts) -> None:
        for account in old.says["accounts"].values():
            records = [record.as_json() for record in accounts.audit_log(account["id"], 100)]

            assert records == account.get("audit_log", [])


class TestWriting:
    def test_a_request_is_admitted_and_settled_on_a_day_that_an_old_version_opened(
        self,
        old: OldItems,
        ada: str,
        authenticator: Authenticator,
        ledger: BlockingLedger,
        clock: Clock,
    ) -> None:
        principal = authenticator.authenticate(old.secrets["full"])
        admission = ledger.admit(
            principal, "4o", "new", input_tokens=10, hold_tokens=100, expires_at=clock.now + 60
        )

        ledger.settle(admission.hold, Usage(1, 2))

        before, after = old.says["accounts"][ADA]["usage"][-1], used(ledger, ada)[-1]
        assert after["requests"] == before["requests"] + 1
        assert after["total"][:2] == [before["total"][0] + 1, before["total"][1] + 2]

    def test_what_was_running_counts_against_the_plan_until_it_is_dead(
        self, old: OldItems, ada: str, ledger: BlockingLedger, clock: Clock
    ) -> None:
        running = used(ledger, ada)[-1]

        clock.advance(3_600)

        assert used(ledger, ada)[-1]["requests"] == running["requests"] + 1

    def test_the_next_day_opens_after_an_old_one(
        self,
        old: OldItems,
        ada: str,
        accounts: Accounts,
        authenticator: Authenticator,
        ledger: BlockingLedger,
        clock: Clock,
    ) -> None:
        clock.advance(86_400)
        principal = authenticator.authenticate(old.secrets["full"])

        hold = ledger.admit(
            principal, "4o", "new", input_tokens=10, hold_tokens=100, expires_at=clock.now + 60
        ).hold
        ledger.settle(hold, Usage(1, 2))

        assert [day["day"] for day in used(ledger, ada)][-1] == "2026-11-24"
        last_used = {key.name: key.last_used_at for key in accounts.keys(ada)}
        assert last_used["ends"] == datetime(2026, 11, 23, 11, 50, tzinfo=UTC)

    def test_a_key_is_rotated_changed_and_deleted(
        self, old: OldItems, accounts: Accounts, authenticator: Authenticator
    ) -> None:
        principal = authenticator.authenticate(old.secrets["ends"])
        account_id, key_id = principal.account_id, principal.key_id

        def renamed(key: Key) -> Key:
            return dataclasses.replace(key, name="renamed")

        assert accounts.change_key(account_id, key_id, renamed).name == "renamed"
        secret = accounts.rotate_key(account_id, key_id, timedelta(0)).secret
        authenticator.authenticate(secret)
        accounts.delete_key(account_id, key_id)

        for lost in (secret, old.secrets["ends"]):
            with pytest.raises(AuthenticationError):
                authenticator.authenticate(lost, fresh=True)

    def test_both_secrets_of_a_rotation_end_when_they_should(
        self, old: OldItems, authenticator: Authenticator, clock: Clock
    ) -> None:
        clock.advance(2 * 86_400)

        authenticator.authenticate(old.secrets["ci, rotated"])
        with pytest.raises(AuthenticationError):
            authenticator.authenticate(old.secrets["ci"])

    def test_an_account_gets_a_new_key_and_goes(
        self, old: OldItems, ada: str, accounts: Accounts, client: DynamoDBClient
    ) -> None:
        accounts.create_key(ada, NewKey("new", frozenset({"models.list"})))

        accounts.delete_account(ada)

        assert ada not in {account.id for account in accounts.list_accounts()}


@pytest.mark.parametrize("old", ["0.2"], indirect=True)
class TestWhat01DidNotStore:
    def test_a_person_signs_in_to_the_account_they_had(
        self, old: OldItems, ada: str, accounts: Accounts, client: DynamoDBClient
    ) -> None:
        logins = Logins(Table(client, TABLE), accounts, sign_up=None)

        assert logins.account_for(Identity("https://issuer.example", "Ada", "", "Ada")).id == ada
        assert accounts.account(ada).operator

    def test_a_session_is_used_and_ended(
        self, old: OldItems, ada: str, sessions: Sessions, clock: Clock
    ) -> None:
        clock.advance(11 * 3_600)
        sessions.read(old.tokens["Ada's"])
        clock.advance(11 * 3_600)  # its last use counts

        assert sessions.read(old.tokens["Ada's"]).account.id == ada
        sessions.end_all(ada)
        with pytest.raises(AuthenticationError):
            sessions.read(old.tokens["Ada's"])

    def test_a_settlement_that_comes_late_replaces_the_estimate(
        self, old: OldItems, ledger: BlockingLedger
    ) -> None:
        grace = old.says["accounts"]["Grace"]
        key_id = old.secrets["of another account"].key_id
        late = Hold(
            grace["id"],
            date(2026, 11, 23),
            test=False,
            request_id="request00000017",
            tokens=600,
            input_tokens=100,
            expires=int(old.now),
            key_id=key_id,
            model_code="4o",
        )

        assert ledger.settle(late, Usage(70, 7))
        assert not ledger.settle(late, Usage(70, 7))

        [requests, before] = grace["usage"][-1]["by_key_model"][f"{key_id} 4o"]
        [again, after] = used(ledger, grace["id"])[-1]["by_key_model"][f"{key_id} 4o"]
        assert (again, after[:2]) == (requests, [before[0] - 100 + 70, before[1] + 7])

    def test_an_admission_that_was_given_back_cannot_land_any_more(
        self, old: OldItems, authenticator: Authenticator, ledger: BlockingLedger, clock: Clock
    ) -> None:
        principal = authenticator.authenticate(old.secrets["full"])

        with pytest.raises(LosiError):
            ledger.admit(
                principal,
                "4o",
                "request00000014",
                input_tokens=100,
                hold_tokens=600,
                expires_at=clock.now + 900,
            )
