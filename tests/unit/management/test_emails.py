"""One address, one account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from losi.errors import (
    InvalidRequestError,
    StoreUnavailableError,
)
from losi.management.accounts import Accounts
from tests.account_world import two_adas
from tests.dynamodb_client import TABLE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class TestEmailAddresses:
    def test_no_two_accounts_have_one(self, accounts: Accounts, account_id: str) -> None:
        with pytest.raises(InvalidRequestError, match=f"acct_{account_id}"):
            accounts.create_account("free", email="ADA@example.com")

        found = accounts.by_email("Ada@Example.com")
        assert found is not None and found.id == account_id
        assert accounts.by_email("nobody@example.com") is None

    def test_a_deleted_account_gives_its_address_back(
        self, accounts: Accounts, account_id: str
    ) -> None:
        accounts.delete_account(account_id)

        assert accounts.create_account("free", email="ada@example.com")

    def test_those_of_version_0_1_are_unknown_until_they_are_indexed(
        self, client: DynamoDBClient, accounts: Accounts
    ) -> None:
        client.delete_item(TableName=TABLE, Key={"pk": {"S": "EMAIL#"}, "sk": {"S": "INDEXED"}})
        two_adas(client)
        eve = accounts.create_account("free").id

        with pytest.raises(StoreUnavailableError):
            accounts.by_email("ada@example.com")
        with pytest.raises(InvalidRequestError, match="losi account index"):
            accounts.create_account("free", email="new@example.com")
        made = {"pk": {"S": "EMAIL#eve@example.com"}, "sk": {"S": "ACCOUNT"}, "account": {"S": eve}}
        client.put_item(TableName=TABLE, Item=made)
        known = accounts.by_email("eve@example.com")  # who has a lookup is known before
        [same] = accounts.index_emails()

        assert known is not None and known.id == eve

        assert {account.name for account in same} == {"Ada Lovelace", "Ada again"}
        found = accounts.by_email("ada@example.com")
        assert found is not None and found.id == same[0].id
        assert accounts.create_account("free", email="new@example.com")
        assert accounts.index_emails() == [same]

    def test_a_lookup_whose_account_version_0_1_deleted_is_free(
        self, client: DynamoDBClient, accounts: Accounts, account_id: str
    ) -> None:
        profile = {"pk": {"S": f"ACCOUNT#{account_id}"}, "sk": {"S": "PROFILE"}}
        client.delete_item(TableName=TABLE, Key=profile)

        made = accounts.create_account("free", email="ada@example.com")

        found = accounts.by_email("ada@example.com")
        assert found is not None and found.id == made.id
