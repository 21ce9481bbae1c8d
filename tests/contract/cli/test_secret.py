"""`losi secret`: one credential at a time, never on the command line, never shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from losi.cli import connection
from tests.contract.cli.command_line import data, error, losi, output

pytestmark = pytest.mark.usefixtures("elsewhere")

REGION = "eu-west-1"
STACK = ("--stack", "losi-prod", "--region", REGION)
OPENAI, ANTHROPIC = "LOSI_OPENAI_API_KEY", "LOSI_ANTHROPIC_API_KEY"


class Vault:
    """A stack whose secret is empty, as template.yaml makes it."""

    def __init__(self) -> None:
        self._client = boto3.client("secretsmanager", region_name=REGION)
        self.is_reachable = True
        self.arn = self._client.create_secret(Name="providers", SecretString="{}")["ARN"]

    @property
    def stored(self) -> Any:
        return json.loads(self._client.get_secret_value(SecretId=self.arn)["SecretString"])

    def remove(self) -> None:
        self._client.delete_secret(SecretId=self.arn, ForceDeleteWithoutRecovery=True)

    def put(self, text: str) -> None:
        self._client.put_secret_value(SecretId=self.arn, SecretString=text)


def unreachable(**_: Any) -> None:
    raise EndpointConnectionError(endpoint_url="https://secretsmanager.test")


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    with mock_aws():
        vault = Vault()
        outputs = {"TableName": "losi", "SecretArn": vault.arn}
        described = [{"OutputKey": k, "OutputValue": v} for k, v in outputs.items()]
        make = connection._client

        def client(service: str, **where: Any) -> Any:
            made = make(service, **where)
            if service == "cloudformation":
                answer = (SimpleNamespace(status_code=200), {"Stacks": [{"Outputs": described}]})
                made.meta.events.register("before-call.cloudformation", lambda **_: answer)
            if not vault.is_reachable:
                made.meta.events.register("before-call.secretsmanager", unreachable)
            return made

        monkeypatch.setattr(connection, "_client", client)
        yield vault


def test_each_is_set_beside_the_others_and_none_is_shown(vault: Vault) -> None:
    first = output("secret", "set", OPENAI, *STACK, input="sk-one\n")
    second = output("secret", "set", ANTHROPIC, *STACK, input="sk-two\n")

    assert vault.stored == {OPENAI: "sk-one", ANTHROPIC: "sk-two"}
    assert first == f"Set {OPENAI}. Stored: {OPENAI}.\n"
    assert second == f"Set {ANTHROPIC}. Stored: {ANTHROPIC}, {OPENAI}.\n"
    assert data("secret", "list", *STACK) == {"names": [ANTHROPIC, OPENAI]}


def test_one_is_replaced_or_removed_and_the_others_stay(vault: Vault) -> None:
    vault.put(json.dumps({OPENAI: "sk-one", "other": {"of": "the operator"}}))

    replaced = output("secret", "set", OPENAI, *STACK, input="sk-new")
    assert vault.stored == {OPENAI: "sk-new", "other": {"of": "the operator"}}
    assert replaced.startswith(f"Replaced {OPENAI}.")

    output("secret", "remove", OPENAI, *STACK)
    assert vault.stored == {"other": {"of": "the operator"}}
    assert error("secret", "remove", OPENAI, *STACK) == f"'{OPENAI}' is not set."


def test_on_a_terminal_it_asks_and_does_not_show_what_is_typed(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.testing._NamedTextIOWrapper.isatty", lambda _: True)

    ran = losi("secret", "set", OPENAI, *STACK, input="sk-typed\n")

    assert vault.stored == {OPENAI: "sk-typed"}
    assert ran.stdout.strip() == f"Set {OPENAI}. Stored: {OPENAI}."
    assert ran.stderr.startswith(f"{OPENAI}:") and "sk-typed" not in ran.stderr


def test_the_canary_s_key_is_one_of_them(vault: Vault) -> None:
    output("secret", "set", "LOSI_CANARY_KEY", *STACK, input="losi-test-x")

    assert data("secret", "list", *STACK) == {"names": ["LOSI_CANARY_KEY"]}
    assert output("secret", "remove", "LOSI_CANARY_KEY", *STACK) == (
        "Removed LOSI_CANARY_KEY. Stored: nothing.\n"
    )
    assert output("secret", "list", *STACK) == "Stored: nothing.\n"


def test_what_aws_refuses_is_said_in_its_words(vault: Vault) -> None:
    vault.remove()

    assert error("secret", "list", *STACK).startswith("AWS refused: ")


def test_a_vault_that_cannot_be_reached_is_said(vault: Vault) -> None:
    vault.is_reachable = False

    assert error("secret", "list", *STACK).startswith("AWS cannot be reached: ")


@pytest.mark.parametrize("value", ["", "  \n", "two words", "two\nlines"])
def test_what_cannot_be_a_credential_is_refused(vault: Vault, value: str) -> None:
    ran = losi("secret", "set", OPENAI, *STACK, input=value)

    assert ran.exit_code == 1
    assert "must be one word" in ran.stderr
    assert vault.stored == {}


def test_a_name_that_no_provider_reads_is_refused_with_those_that_are(vault: Vault) -> None:
    said = error("secret", "set", "OPENAI_API_KEY", *STACK)

    assert said.startswith("'OPENAI_API_KEY' is no variable of a provider.")
    assert OPENAI in said and "LOSI_BEDROCK_REGION" in said


def test_a_secret_that_somebody_broke_is_not_replaced(vault: Vault) -> None:
    vault.put("sk-one")

    assert "is no JSON object" in error("secret", "list", *STACK)
    assert losi("secret", "set", OPENAI, *STACK, input="sk-two").exit_code == 1


def test_a_local_api_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1")
    monkeypatch.setenv("LOSI_TABLE", "losi")

    assert "from the environment of `make run`" in error("secret", "list")
