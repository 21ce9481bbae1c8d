"""When a session ends, and which tokens are good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from losi.errors import LosiError
from losi.identity.session import IDLE, Sessions, SessionToken
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


def ends(sessions: Sessions, token: SessionToken) -> bool:
    try:
        sessions.read(token)
    except LosiError:
        return True
    return False
