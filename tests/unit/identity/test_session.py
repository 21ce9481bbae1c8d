"""When a session ends, and which tokens are good."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from losi.errors import LosiError
from losi.identity.session import IDLE, Session, Sessions, SessionToken
from tests.catalogue import CATALOGUE
from tests.ledger_world import Clock
from tests.unit.conftest import TABLE

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


def ends(sessions: Sessions, token: SessionToken) -> bool:
    try:
        sessions.read(token)
    except LosiError:
        return True
    return False
