"""Refused keys: bursts of them are recorded, unknown ones are not read again and again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from losi.errors import (
    AuthenticationError,
    RateLimitError,
)
from losi.identity.authenticator import UNSEEN_BURST, Authenticator
from losi.identity.secret import Secret, mint
from losi.management.accounts import Accounts
from tests.account_world import A_KEY
from tests.ledger_world import Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


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
