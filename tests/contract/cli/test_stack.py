"""`losi --stack`: the table is found by the stack's outputs, and worked on in its Region."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, ClassVar

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from local.table import create_table
from losi.cli import connection
from losi.management.accounts import Accounts
from tests.catalogue import CATALOGUE
from tests.contract.cli.command_line import data, error
from tests.dynamodb_local import free_port
from tests.ledger_world import BlockingLedger

pytestmark = pytest.mark.usefixtures("elsewhere")


class TestADeployedStack:
    REGION = "eu-west-1"
    #: What CloudFormation would describe: stack -> outputs.
    STACKS: ClassVar = {"losi-prod": {"TableName": "losi-deployed"}, "other": {"Url": "https://x"}}

    @pytest.fixture
    def stack(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
        with mock_aws():
            create_table(boto3.client("dynamodb", region_name=self.REGION), "losi-deployed")
            make = connection._client

            def client(service: str, **where: Any) -> Any:
                made = make(service, **where)
                if service == "cloudformation":
                    made.meta.events.register("before-call.cloudformation", self.describe)
                return made

            monkeypatch.setattr(connection, "_client", client)
            yield "losi-prod"

    def describe(self, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        """DescribeStacks' answer, given in place of a call: the status, and the parsed body."""
        name = params["body"]["StackName"]
        if name not in self.STACKS:
            message = f"Stack with id {name} does not exist"
            return SimpleNamespace(status_code=400), {
                "Error": {"Code": "ValidationError", "Message": message}
            }
        outputs = [{"OutputKey": k, "OutputValue": v} for k, v in self.STACKS[name].items()]
        return SimpleNamespace(status_code=200), {"Stacks": [{"Outputs": outputs}]}

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
        ledger = BlockingLedger(client, "losi-deployed")
        stored = Accounts(client, "losi-deployed", ledger, CATALOGUE.plans).list_accounts()
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
        said = error("account", "list", "--stack", "other", "--region", self.REGION)

        assert said == "The stack other in eu-west-1 has no output TableName."

    def test_one_that_cannot_be_reached(self, stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def unreachable(**_: Any) -> None:
            raise EndpointConnectionError(endpoint_url="https://cloudformation.test")

        monkeypatch.setattr(self, "describe", unreachable)

        said = error("account", "list", "--stack", stack, "--region", self.REGION)

        assert said.startswith("AWS cannot be reached: Could not connect to the endpoint URL")

    def test_a_table_that_does_not_answer_is_said(
        self, stack: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(self.STACKS, stack, {"TableName": "losi-gone"})

        said = error("account", "list", "--stack", stack, "--region", self.REGION)

        assert said.startswith("DynamoDB did not do it, try again: ")

    def test_no_region(self, stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)

        assert error("account", "list", "--stack", stack).startswith("Which region?")

    def test_no_credentials(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it may have found some before
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

        said = error("account", "list", "--stack", "losi-prod", "--region", self.REGION)

        assert said.startswith("No AWS credentials were found.")
