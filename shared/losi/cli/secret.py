"""`losi secret`: provider credentials of a deployed API, one at a time."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from losi.cli.connection import CannotConnectError
from losi.cli.output import print_json
from losi.cli.session import Session, command, group
from losi.identity.values import InvalidValueError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

    from losi.catalogue.models import Catalogue

#: The test key of the canary (losi/aws/canary.py).
CANARY_KEY = "LOSI_CANARY_KEY"

app = group("Set, list and remove provider credentials of a deployed API.")

Variable = Annotated[str, typer.Argument(metavar="NAME", help="Such as LOSI_OPENAI_API_KEY.")]


@command(app, "set")
def set_(session: Session, name: Variable) -> None:
    """Set one credential; the others stay. Asks for its value, or reads it from stdin.

    The value never appears on the command line, in the shell's history or in a list of
    processes. Functions use it within five minutes.

    \b
    Examples:
      losi secret set LOSI_OPENAI_API_KEY --stack losi
      losi secret set LOSI_OPENAI_API_KEY --stack losi < key.txt
    """
    known = variables(session.catalogue)
    if name not in known:
        raise InvalidValueError(
            f"'{name}' is no variable of a provider. Known are {', '.join(known)}; those of a "
            "provider of your own come from config/providers.toml."
        )
    vault = _vault(session)
    stored = vault.read()  # before the question: who may not read need not be asked
    value = _value(name)
    replaced = name in stored
    vault.write({**stored, name: value})
    _show(session, {**stored, name: value}, f"{'Replaced' if replaced else 'Set'} {name}.")


@command(app, "list")
def list_(session: Session) -> None:
    """List the names of the credentials that are set. Values are not shown.

    \b
    Example:
      losi secret list --stack losi
    """
    _show(session, _vault(session).read())


@command(app, "remove")
def remove(session: Session, name: Variable) -> None:
    """Remove one credential; the others stay.

    \b
    Example:
      losi secret remove LOSI_GROQ_API_KEY --stack losi
    """
    vault = _vault(session)
    stored = vault.read()
    if name not in stored:
        raise InvalidValueError(f"'{name}' is not set.")
    del stored[name]
    vault.write(stored)
    _show(session, stored, f"Removed {name}.")


def variables(catalogue: "Catalogue") -> list[str]:
    """What providers read (their keys, base URLs and Regions), and the canary."""
    named = (
        variable
        for provider in catalogue.providers.values()
        for variable in (
            provider.key_variable,
            provider.base_url_variable,
            provider.region_variable,
        )
    )
    return sorted({CANARY_KEY, *(variable for variable in named if variable is not None)})


@dataclass(frozen=True)
class _Vault:
    """The stack's secret: a JSON object of variables."""

    client: "SecretsManagerClient"
    arn: str

    def read(self) -> dict[str, Any]:
        with _refused():
            text = self.client.get_secret_value(SecretId=self.arn)["SecretString"]
        try:
            stored = json.loads(text)
        except ValueError:
            stored = None
        if not isinstance(stored, dict):
            raise CannotConnectError(
                f"The secret {self.arn} is no JSON object: mend it in the AWS console first."
            )
        return stored

    def write(self, stored: dict[str, Any]) -> None:
        with _refused():
            self.client.put_secret_value(SecretId=self.arn, SecretString=json.dumps(stored))


def _vault(session: Session) -> _Vault:
    connection = session.connection
    if not connection.region:
        raise CannotConnectError(
            "A local API takes its credentials from the environment of `make run`. Name a deployed "
            "one with --stack and --region."
        )
    return _Vault(connection.aws("secretsmanager"), connection.outputs["SecretArn"])


@contextmanager
def _refused() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise CannotConnectError(f"AWS refused: {error.response['Error']['Message']}") from None
    except BotoCoreError as error:
        raise CannotConnectError(f"AWS cannot be reached: {error}") from None


def _value(name: str) -> str:
    if sys.stdin.isatty():
        value: str = typer.prompt(name, hide_input=True, err=True)
    else:
        value = sys.stdin.read()
    value = value.strip()
    if not value or not value.isprintable() or " " in value:
        raise InvalidValueError(
            f"The value of '{name}' must be one word: it was empty, or had spaces or line breaks."
        )
    return value


def _show(session: Session, stored: dict[str, Any], done: str = "") -> None:
    names = sorted(stored)
    if session.as_json:
        print_json({"names": names})
        return
    typer.echo(f"{done} Stored: {', '.join(names) or 'nothing'}.".strip())
