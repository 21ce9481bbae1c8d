"""A key that is given a new secret, and what of the one it had."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from losi.identity.authenticator import (
    Authenticator,
)
from losi.identity.key import NewKey
from losi.identity.secret import Secret
from losi.management.accounts import Accounts
from tests.ledger_world import Clock

if TYPE_CHECKING:
    pass
from tests.account_world import CHAT, refusal


class TestRotation:
    DAY = timedelta(days=1)

    def rotate(self, accounts: Accounts, key: Secret, overlap: timedelta) -> Secret:
        return accounts.rotate_key(key.account_id, key.key_id, overlap).secret

    def test_both_secrets_are_good_until_the_overlap_ends(
        self, authenticator: Authenticator, accounts: Accounts, secret: Secret, clock: Clock
    ) -> None:
        new = self.rotate(accounts, secret, timedelta(seconds=100))
        assert new.key_id == secret.key_id

        clock.advance(99)
        assert authenticator.authenticate(secret)
        assert authenticator.authenticate(new)

        clock.advance(1)
        error = refusal(authenticator, secret, fresh=False)
        assert error.code == "key_expired"
        assert "rotated" in error.message
        assert authenticator.authenticate(new)

    def test_without_an_overlap_the_old_secret_ends_at_once(
        self, authenticator: Authenticator, accounts: Accounts, secret: Secret
    ) -> None:
        self.rotate(accounts, secret, timedelta(0))

        assert refusal(authenticator, secret).code == "key_expired"

    def test_a_rotation_whose_answer_was_lost_can_be_made_again(
        self, authenticator: Authenticator, accounts: Accounts, secret: Secret
    ) -> None:
        self.rotate(accounts, secret, self.DAY)
        new = self.rotate(accounts, secret, self.DAY)

        assert authenticator.authenticate(secret)
        assert authenticator.authenticate(new)

    def test_a_later_rotation_without_overlap_ends_all_older_secrets(
        self, authenticator: Authenticator, accounts: Accounts, secret: Secret
    ) -> None:
        second = self.rotate(accounts, secret, self.DAY)
        third = self.rotate(accounts, second, timedelta(0))

        assert refusal(authenticator, secret).code == "key_expired"
        assert refusal(authenticator, second).code == "key_expired"
        assert authenticator.authenticate(third)

    def test_old_secrets_do_not_pile_up(
        self, accounts: Accounts, account_id: str, secret: Secret, clock: Clock
    ) -> None:
        for _ in range(10):
            clock.advance(1)
            self.rotate(accounts, secret, self.DAY)

        assert len(accounts.key(account_id, secret.key_id).old_hashes) == 5

    def test_an_expired_key_stays_expired(
        self, authenticator: Authenticator, accounts: Accounts, account_id: str, clock: Clock
    ) -> None:
        new = NewKey("short", CHAT, datetime.fromtimestamp(clock.now + 10, UTC))
        _, secret = accounts.create_key(account_id, new)
        rotated = self.rotate(accounts, secret, self.DAY)
        clock.advance(10)

        assert refusal(authenticator, rotated).code == "key_expired"
        assert refusal(authenticator, secret).code == "key_expired"
