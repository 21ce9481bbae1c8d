"""`losi`: the operator's command line, for accounts, keys and usage.

The package's modules import boto3 and rich only when a command runs, so that `--help` is quick.
"""

from typing import Annotated

import typer

from losi import __version__
from losi.cli import (
    account,
    audit,
    check,
    doctor,
    key,
    logs,
    reconcile,
    secret,
    status,
    table,
    usage,
)

app = typer.Typer(
    name="losi",
    help="""Manage the accounts, API keys and usage of a Losi API.

    Without options it manages the local API that `make run` started. With --stack and --region,
    or LOSI_STACK and AWS_REGION in the environment, it manages a deployed one, with your AWS
    credentials. Every command takes --json.

    \b
    Examples:
      losi account create --name "Ada Lovelace" --plan pro
      losi key create acct_Xy12Ab34Cd --name laptop
      losi account list --stack losi-prod --region eu-west-1
      losi usage --from 2026-11-01 --by account
    """,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"losi {__version__}")
        raise typer.Exit


Version = typer.Option("--version", callback=_print_version, help="Print the version and exit.")


@app.callback()
def _options(version: Annotated[bool, Version] = False) -> None: ...


app.add_typer(account.app, name="account")
app.add_typer(key.app, name="key")
app.add_typer(secret.app, name="secret")
app.add_typer(table.app, name="table")
usage.register(app)
audit.register(app)
logs.register(app)
reconcile.register(app)
status.register(app)
check.register(app)
doctor.register(app)


def main() -> None:
    app()
