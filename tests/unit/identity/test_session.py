"""When a session ends, and which tokens are good."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from losi.errors import AuthenticationError, LosiError, PermissionDeniedError
from losi.identity.key import NewKey
from losi.identity.principal import ALL_PERMISSIONS, Principal
from losi.identity.session import (
    IDLE,
    NOTED_EVERY,
    Session,
    Sessions,
    SessionToken,
    require_api_access,
)
from losi.management.accounts import Accounts
from losi.store.client import primary_key
from tests.catalogue import CATALOGUE
from tests.dynamodb_client import TABLE
from tests.ledger_world import Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def sessions(client: DynamoDBClient, clock: Clock) -> Sessions:
    return Sessions(client, TABLE, CATALOGUE.plans, clock)


def test_a_session_ends_by_itself(sessions: Sessions, account_id: str, clock: Clock) -> None:
    began = clock.now
    idle, used = sessions.open(account_id, ""), sessions.open(account_id, "")

    clock.advance(IDLE.total_seconds() - 60)
    sessions.read(used)
    clock.advance(60)
    assert ends(sessions, idle) and not ends(sessions, used)

    for _ in range(14 * 2):
        clock.advance(IDLE.total_seconds() / 2)
        ends(sessions, used)
    assert ends(sessions, used)
    assert clock.now - began > 7 * 86_400
    assert sessions.of_account(account_id) == []


def test_what_cannot_be_undone_takes_a_recent_sign_in(
    sessions: Sessions, account_id: str, clock: Clock
) -> None:
    token = sessions.open(account_id, "")

    assert sessions.read(token).session.is_fresh(sessions.now())
    clock.advance(15 * 60)
    assert not sessions.read(token).session.is_fresh(sessions.now())


def test_a_guessed_token_is_refused(sessions: Sessions, account_id: str) -> None:
    token = sessions.open(account_id, "")
    forged = SessionToken(token.account_id, token.session_id, "A" * 43)

    assert SessionToken.parse(token.text) == token
    assert SessionToken.parse(token.text[:-1]) is None
    assert ends(sessions, forged)
    assert token.secret not in repr(token)


def test_a_session_as_it_is_stored_and_shown() -> None:
    created = datetime(2026, 11, 23, 12, tzinfo=UTC)
    by_key = Session("abc", "0123456789", "f00d", created, created + IDLE, "curl", "01234567", 7)
    by_person = replace(by_key, id="def", key_id=None)

    assert by_key.to_item() == {
        "pk": {"S": "ACCOUNT#0123456789"},
        "sk": {"S": "SESSION#abc"},
        "hash": {"S": "f00d"},
        "created_at": {"S": "2026-11-23T12:00:00Z"},
        "seen_at": {"S": "2026-11-24T00:00:00Z"},
        "device": {"S": "curl"},
        "key": {"S": "01234567"},
        "ttl": {"N": str(int(created.timestamp()) + 7 * 86_400)},
    }
    assert "key" not in by_person.to_item()
    assert [Session.from_item(one.to_item(), 7) for one in (by_key, by_person)] == [
        by_key,
        by_person,
    ]
    assert by_key.as_json() == {
        "id": "sess_abc",
        "device": "curl",
        "created_at": "2026-11-23T12:00:00Z",
        "last_seen_at": "2026-11-24T00:00:00Z",
        "api_key": "key_01234567",
        "current": False,
    }
    assert by_person.as_json()["api_key"] is None
    assert by_key.as_json(by_key)["current"] is True
    assert by_key.as_json(by_person)["current"] is False


def test_a_session_is_over_and_fresh_to_the_second() -> None:
    created = datetime(2026, 11, 23, 12, tzinfo=UTC)
    session = Session("abc", "0123456789", "f00d", created, created, "", longest_days=1)
    used = replace(session, seen_at=created + timedelta(hours=23))
    second = timedelta(seconds=1)

    assert not session.is_over(created + timedelta(hours=12) - second)
    assert session.is_over(created + timedelta(hours=12))
    assert not used.is_over(created + timedelta(days=1) - second)
    assert used.is_over(created + timedelta(days=1))
    assert session.is_fresh(created + timedelta(minutes=15) - second)
    assert not session.is_fresh(created + timedelta(minutes=15))


@pytest.mark.parametrize("text", ["", "A" * 60, "A" * 62, "A" * 60 + "-", "é" + "A" * 60], ids=repr)
def test_what_no_token_can_be(text: str) -> None:
    assert SessionToken.parse(text) is None


def refusal(sessions: Sessions, token: SessionToken) -> AuthenticationError:
    with pytest.raises(AuthenticationError) as refused:
        sessions.read(token)
    assert refused.value.code == "session_expired"
    return refused.value


class TestWhoIsSignedIn:
    def test_a_person_may_do_all_that_a_key_can(
        self, sessions: Sessions, accounts: Accounts, account_id: str
    ) -> None:
        account = accounts.account(account_id)
        token = sessions.open(account_id, "x" * 201)

        signed_in = sessions.read(token)

        assert signed_in.is_person
        assert signed_in.account == account
        assert signed_in.session.device == "x" * 200
        assert signed_in.principal == Principal(
            account_id=account_id,
            key_id="playground",
            permissions=ALL_PERMISSIONS,
            plan=CATALOGUE.plans["pro"],
            test=False,
            key_version=0,
            profile_version=account.version,
            tag=account.tag,
            by_session=True,
            session_id=token.session_id,
        )

    @pytest.mark.parametrize("test", [False, True])
    def test_who_has_a_key_may_do_what_the_key_can(
        self, sessions: Sessions, accounts: Accounts, account_id: str, test: bool
    ) -> None:
        ends_at = datetime(2026, 11, 24, tzinfo=UTC)
        new = NewKey("a key", frozenset({"usage.read"}), ends_at, test)
        key, _ = accounts.create_key(account_id, new)

        signed_in = sessions.read(sessions.open(account_id, "", key.id))

        principal = signed_in.principal
        assert not signed_in.is_person
        assert principal.permissions == {"usage.read"}
        assert (principal.test, principal.key_version) == (test, key.version)
        assert principal.key_expires_at == ends_at.timestamp()
        assert (principal.key_id, principal.session_key) == ("playground", key.id)

    def test_api_access_is_needed_for_what_keys_do_and_for_nothing_else(
        self, sessions: Sessions, accounts: Accounts, account_id: str
    ) -> None:
        token = sessions.open(account_id, "")
        require_api_access(sessions.read(token))
        accounts.set_api_access(account_id, False)

        with pytest.raises(PermissionDeniedError) as refused:
            require_api_access(sessions.read(token))

        assert refused.value.code == "api_access_disabled"


class TestWhatEndsASession:
    def test_its_account(self, sessions: Sessions, accounts: Accounts, account_id: str) -> None:
        token = sessions.open(account_id, "")
        accounts.set_disabled(account_id, True)

        assert "account is disabled" in refusal(sessions, token).message

    @pytest.mark.parametrize("sort", ["PROFILE", "SESSION#"])
    def test_an_item_that_is_gone(
        self, sessions: Sessions, client: DynamoDBClient, account_id: str, sort: str
    ) -> None:
        token = sessions.open(account_id, "")
        sort = sort if sort == "PROFILE" else f"{sort}{token.session_id}"
        client.delete_item(TableName=TABLE, Key=primary_key(account_id, sort))

        assert "You are not signed in" in refusal(sessions, token).message

    @pytest.mark.parametrize("how", ["deleted", "disabled", "expired"])
    def test_the_key_that_opened_it(
        self, sessions: Sessions, accounts: Accounts, account_id: str, clock: Clock, how: str
    ) -> None:
        ends_at = datetime.fromtimestamp(clock.now + 60, UTC)
        key, _ = accounts.create_key(account_id, NewKey("a key", ALL_PERMISSIONS, ends_at))
        token = sessions.open(account_id, "", key.id)
        clock.advance(59)
        sessions.read(token)

        if how == "deleted":
            accounts.delete_key(account_id, key.id)
        elif how == "disabled":
            accounts.change_key(account_id, key.id, lambda old: replace(old, is_enabled=False))
        else:
            clock.advance(1)

        assert "API key that you signed in with has ended" in refusal(sessions, token).message

    def test_its_owner(self, sessions: Sessions, account_id: str) -> None:
        first, second, third = (sessions.open(account_id, str(n)) for n in range(3))

        sessions.end(account_id, first.session_id)
        sessions.end(account_id, first.session_id)
        assert [ends(sessions, token) for token in (first, second, third)] == [True, False, False]
        sessions.end_all(account_id)
        assert ends(sessions, second) and ends(sessions, third)


def test_its_use_is_noted_from_time_to_time_and_the_last_used_is_listed_first(
    sessions: Sessions, account_id: str, clock: Clock
) -> None:
    began = sessions.now()
    first, _ = sessions.open(account_id, "first"), sessions.open(account_id, "second")

    def seen() -> list[tuple[str, datetime]]:
        return [(one.device, one.seen_at) for one in sessions.of_account(account_id)]

    clock.advance(NOTED_EVERY.total_seconds() - 1)
    sessions.read(first)
    assert {when for _, when in seen()} == {began}
    clock.advance(1)
    sessions.read(first)
    assert seen() == [("first", began + NOTED_EVERY), ("second", began)]


def ends(sessions: Sessions, token: SessionToken) -> bool:
    try:
        sessions.read(token)
    except LosiError:
        return True
    return False
