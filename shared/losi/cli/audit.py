"""`losi audit`."""

from typing import Annotated

import typer

from losi.cli.account import AccountId
from losi.cli.output import minute, print_json, print_table
from losi.cli.session import Session, account_id, command


def register(app: typer.Typer) -> None:
    command(app, "audit")(audit)


def audit(
    session: Session,
    account: AccountId,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many records.")] = 50,
) -> None:
    """Show who changed what in an account, newest first. Deleted accounts work too.

    \b
    Example:
      losi audit acct_Xy12Ab34Cd
    """
    records = session.accounts.audit_log(account_id(account), limit)
    if session.as_json:
        print_json([record.as_json() for record in records])
        return
    rows = [
        (
            minute(record.at),
            record.actor,
            record.action,
            record.target,
            _changes(record.as_json()["before"], record.as_json()["after"]),
        )
        for record in records
    ]
    print_table(("WHEN (UTC)", "WHO", "WHAT", "WHICH", "CHANGE"), rows)


def _changes(before: dict[str, object], after: dict[str, object]) -> str:
    names = list({**before, **after})
    return "\n".join(f"{n}: {before.get(n, '-')} -> {after.get(n, '-')}" for n in names)
