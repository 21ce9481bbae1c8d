"""`losi usage`."""

import time
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from losi.cli.output import print_csv, print_json, print_table
from losi.cli.session import Session, account_id, command
from losi.identity.values import InvalidValueError
from losi.metering.spending import By, Spent

if TYPE_CHECKING:
    from losi.metering.everyone import Used
    from losi.store.table import Table

DEFAULT_DAYS = 30

#: What sums are named by, in the table's head.
_HEADS = {By.ACCOUNT: ("ACCOUNT", "NAME")}

Names = tuple[str, ...]
Scan = Annotated[
    bool, typer.Option("--scan", help="Read the whole table: for days more than 100 days ago.")
]


def register(app: typer.Typer) -> None:
    command(app, "usage")(usage)


def usage(
    session: Session,
    account: Annotated[
        str | None, typer.Argument(metavar="ACCOUNT", help="Without it: all accounts together.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="First UTC day; default: 30 days ago.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last UTC day; default: today.")] = None,
    by: Annotated[
        list[By] | None,
        typer.Option(help="A row for each; may be repeated. Default: day, or account."),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    scan: Scan = False,
) -> None:
    """Show the usage and its cost, of one account or of all.

    The usage of one account is shown by UTC day; --json also lists which key used which
    model. The usage of all is shown by account, the most expensive first. Rows without usage
    are left out.

    \b
    Examples:
      losi usage acct_Xy12Ab34Cd --from 2026-11-01 --to 2026-11-30
      losi usage --from 2026-11-01 --by model
      losi usage --from 2026-11-01 --by account --by model --csv > november.csv
    """
    if as_csv and session.as_json:
        raise InvalidValueError("--csv and --json exclude each other. Choose one.")
    days = _days(start, end)
    if account is not None and not by and session.as_json:
        return _print_details(session, account_id(account), days)
    rows = _used_by(session, account, days) if account else used_by_all(session, days, scan=scan)
    _print_sums(session, rows, by or [By.DAY if account else By.ACCOUNT], days, as_csv=as_csv)


def used_by_all(session: Session, days: Collection[date], *, scan: bool) -> "Iterator[Used]":
    """What live keys of all accounts used. Raises InvalidValueError for days that only a scan of
    the table finds.
    """
    from losi.metering import everyone, register

    oldest = datetime.now(UTC).date() - timedelta(register.KEPT_DAYS - 1)
    if min(days) < oldest and not scan:
        raise InvalidValueError(
            f"Days before {oldest} are not in the register. Add --scan to read the whole table."
        )
    used = everyone.used_by_scan if scan else everyone.used
    return used(_table(session), days, time.time())


def _used_by(session: Session, account: str, days: list[date]) -> "Iterator[Used]":
    from losi.metering import everyone

    id = account_id(account)
    session.accounts.account(id)  # an account that does not exist is an error, not no usage
    return everyone.of_account(id, session.books.usage(id, days[0], days[-1]))


def _print_details(session: Session, id: str, days: list[date]) -> None:
    from losi.management.export import usage_json

    session.accounts.account(id)
    used = session.books.usage(id, days[0], days[-1])
    print_json([usage_json(day, session.catalogue) for day in used])


def _print_sums(
    session: Session, rows: "Iterator[Used]", by: list[By], days: list[date], *, as_csv: bool
) -> None:
    from losi.metering.spending import spent

    sums = spent(rows, by, session.catalogue)
    listed = [{**dict(zip(by, names, strict=True)), **one.as_json()} for names, one in sums.items()]
    if session.as_json:
        print_json(listed)
    elif as_csv:
        print_csv((*by, *Spent().as_json()), listed)
    elif sums:
        _print_table(session, by, sums)
    else:
        typer.echo(f"No usage from {days[0]} to {days[-1]}.")


def _print_table(session: Session, by: list[By], sums: Mapping[Names, Spent]) -> None:
    owners = _owners(session, sums, by.index(By.ACCOUNT)) if By.ACCOUNT in by else {}
    heads = [head for each in by for head in _HEADS.get(each, (each.upper(),))]
    rows = [
        [cell for name in names for cell in _cells(name, owners)] + _figures(one)
        for names, one in sums.items()
    ]
    total = ["Total", *[""] * (len(heads) - 1), *_figures(sum(sums.values(), Spent()))]
    columns = (*heads, "REQUESTS", "INPUT", "OUTPUT", "COST")
    print_table(columns, [*rows, total], right=4)


def _cells(name: str, owners: Mapping[str, str]) -> tuple[str, ...]:
    return (name, owners[name]) if name in owners else (name,)


def _figures(one: Spent) -> list[str]:
    counts = (one.requests, one.usage.input_tokens, one.usage.output_tokens)
    return [*(f"{count:,}" for count in counts), f"${one.dollars:,.4f}"]


def _owners(session: Session, sums: Mapping[Names, Spent], place: int) -> dict[str, str]:
    """Account id -> its name."""
    from losi.identity.account import Account
    from losi.store.client import PROFILE, primary_key

    owners = {names[place]: "-" for names in sums}  # of one that is being deleted
    keys = (primary_key(account_id(id), PROFILE) for id in owners)
    found = map(Account.from_item, _table(session).items(keys))
    return {**owners, **{f"acct_{account.id}": account.name for account in found}}


def _table(session: Session) -> "Table":
    from losi.store.table import Table

    return Table(session.connection.client, session.connection.table)


def _days(start: str | None, end: str | None) -> list[date]:
    """The span's UTC days."""
    from losi.metering.everyone import days_between

    last = _day("--to", end) if end else datetime.now(UTC).date()
    earliest = date.fromordinal(max(1, last.toordinal() - DEFAULT_DAYS + 1))
    first = _day("--from", start) if start else earliest
    if first > last:
        raise InvalidValueError(f"--from {first} is after --to {last}. Swap them.")
    return days_between(first, last)


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidValueError(f"{option} must be a date such as 2026-11-30.") from None
