"""An account with a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from losi.identity.secret import Secret
from losi.management.accounts import Accounts, NewKey

if TYPE_CHECKING:
    pass
from tests.account_world import CHAT


@pytest.fixture
def account_id(accounts: Accounts) -> str:
    return accounts.create_account("pro").id


@pytest.fixture
def secret(accounts: Accounts, account_id: str) -> Secret:
    return accounts.create_key(account_id, NewKey("a key", CHAT))[1]
