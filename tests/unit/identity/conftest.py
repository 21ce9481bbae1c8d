"""An account with a key."""

from __future__ import annotations

import pytest

from losi.identity.key import NewKey
from losi.identity.secret import Secret
from losi.management.accounts import Accounts
from tests.account_world import CHAT


@pytest.fixture
def secret(accounts: Accounts, account_id: str) -> Secret:
    return accounts.create_key(account_id, NewKey("a key", CHAT))[1]
