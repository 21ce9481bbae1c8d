"""An account, and who has keys of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from losi.identity.audit import Actor
from losi.identity.authenticator import Authenticator
from losi.management.accounts import Accounts
from tests.account_world import first_key

if TYPE_CHECKING:
    pass
from tests.account_world import WRITER


@pytest.fixture
def account_id(accounts: Accounts) -> str:
    return accounts.create_account("ultra", name="Ada Lovelace", email="ada@example.com").id


@pytest.fixture
def owner(accounts: Accounts, authenticator: Authenticator, account_id: str) -> Actor:
    return first_key(accounts, authenticator, account_id)


@pytest.fixture
def weak(accounts: Accounts, authenticator: Authenticator, account_id: str) -> Actor:
    return first_key(accounts, authenticator, account_id, WRITER)
