"""`losi --stack`, against CloudFormation and DynamoDB on moto."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from losi.accounts import Accounts
from losi.ledger import Ledger
from tests.dynamodb_local import free_port
from tests.unit.command_line import data, error

pytestmark = pytest.mark.usefixtures("elsewhere")


class TestADeployedStack:
    REGION = "eu-west-1"
    TEMPLATE = json.dumps(
        {
            "Resources": {
                "Table": {
                    "Type": "AWS::DynamoDB::Table",
                    "Properties": {
                        "TableName": "losi-deployed",
                        "BillingMode": "PAY_PER_REQUEST",
                        "AttributeDefinitions": [
                            {"AttributeName": "pk", "AttributeType": "S"},
                            {"AttributeName": "sk", "AttributeType": "S"},
                        ],
                        "KeySchema": [
                            {"AttributeName": "pk", "KeyType": "HASH"},
                            {"AttributeName": "sk", "KeyType": "RANGE"},
                        ],
                    },
                }
            },
            "Outputs": {"TableName": {"Value": {"Ref": "Table"}}},
        }
    )

    @pytest.fixture
    def stack(self) -> Iterator[str]:
        with mock_aws():
            cloudformation = boto3.client("cloudformation", region_name=self.REGION)
            cloudformation.create_stack(StackName="losi-prod", TemplateBody=self.TEMPLATE)
            yield "losi-prod"

    def test_its_table_is_found_by_its_outputs(
        self, stack: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # a local one that is configured as well must not be touched
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{free_port()}")
        where = ("--stack", stack, "--region", self.REGION)

        made = data("account", "create", "--name", "Ada", *where)

        client = boto3.client(
            "dynamodb",
            region_name=self.REGION,
            endpoint_url="https://dynamodb.eu-west-1.amazonaws.com",
        )
        ledger = Ledger(client, "losi-deployed")
        stored = Accounts(client, "losi-deployed", ledger).list_accounts()
        assert [f"acct_{account.id}" for account in stored] == [made["id"]]

    def test_the_environment_can_name_it(self, stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOSI_STACK", stack)
        monkeypatch.setenv("AWS_REGION", self.REGION)

        assert data("account", "list") == []

    def test_an_unknown_stack(self, stack: str) -> None:
        said = error("account", "list", "--stack", "losi-dev", "--region", self.REGION)

        assert said.startswith("AWS refused: ")
        assert "does not exist" in said

    def test_a_stack_of_something_else(self, stack: str) -> None:
        template = json.loads(self.TEMPLATE)
        del template["Outputs"]
        template["Resources"]["Table"]["Properties"]["TableName"] = "other"
        boto3.client("cloudformation", region_name=self.REGION).create_stack(
            StackName="other", TemplateBody=json.dumps(template)
        )

        said = error("account", "list", "--stack", "other", "--region", self.REGION)

        assert said == "The stack other in eu-west-1 has no output TableName."

    def test_no_region(self, stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)

        assert error("account", "list", "--stack", stack).startswith("Which region?")

    def test_no_credentials(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

        said = error("account", "list", "--stack", "losi-prod", "--region", self.REGION)

        assert said.startswith("No AWS credentials were found.")
