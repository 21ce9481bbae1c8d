"""`losi --stack`: the table is found by the stack's outputs, and worked on in its Region."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, ClassVar

import boto3
import pytest
from moto import mock_aws

from local.table import create_table
from losi.accounts import Accounts
from losi.cli import connection
from losi.ledger import Ledger
from tests.dynamodb_local import free_port
from tests.unit.command_line import data, error

pytestmark = pytest.mark.usefixtures("elsewhere")


REGION = "eu-west-1"
TABLE = "losi-deployed"


class FakeCloudFormation:
    """Answers DescribeStacks in place of AWS. moto's would take 25 more packages."""

    def __init__(self) -> None:
        self.outputs = {"losi-prod": [{"OutputKey": "TableName", "OutputValue": TABLE}]}

    def describe_stacks(self, params: dict[str, Any], **_: Any) -> tuple[AWSResponse, Any]:
        name = params["body"]["StackName"]
        if name not in self.outputs:
            refusal = {"Code": "ValidationError", "Message": f"Stack with id {name} does not exist"}
            return AWSResponse(params["url"], 400, {}, None), {"Error": refusal}
        stack = {"StackName": name, "Outputs": self.outputs[name]}
        return AWSResponse(params["url"], 200, {}, None), {"Stacks": [stack]}


@pytest.fixture
def cloudformation(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCloudFormation]:
    """With a deployed stack, losi-prod, and its empty table."""
    fake = FakeCloudFormation()
    with mock_aws():
        session = boto3.Session()
        session.events.register("before-call.cloudformation.DescribeStacks", fake.describe_stacks)
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
        create_table(boto3.client("dynamodb", region_name=REGION), TABLE)
        yield fake


@pytest.fixture
def stack(cloudformation: FakeCloudFormation) -> str:
    return "losi-prod"


class TestADeployedStack:
    def test_its_table_is_found_by_its_outputs(
        self, stack: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # a local one that is configured as well must not be touched
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{free_port()}")
        where = ("--stack", stack, "--region", REGION)

        made = data("account", "create", "--name", "Ada", *where)

        client = boto3.client(
            "dynamodb", region_name=REGION, endpoint_url=f"https://dynamodb.{REGION}.amazonaws.com"
        )
        ledger = Ledger(client, TABLE)
        stored = Accounts(client, TABLE, ledger).list_accounts()
        assert [f"acct_{account.id}" for account in stored] == [made["id"]]

    def test_the_environment_can_name_it(self, stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOSI_STACK", stack)
        monkeypatch.setenv("AWS_REGION", REGION)

        assert data("account", "list") == []

    def test_an_unknown_stack(self, stack: str) -> None:
        said = error("account", "list", "--stack", "losi-dev", "--region", REGION)

        assert said.startswith("AWS refused: ")
        assert "does not exist" in said

    def test_a_stack_of_something_else(self, cloudformation: FakeCloudFormation) -> None:
        cloudformation.outputs["other"] = []

        said = error("account", "list", "--stack", "other", "--region", REGION)

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

        said = error("account", "list", "--stack", "losi-prod", "--region", REGION)

        assert said.startswith("No AWS credentials were found.")
