"""`losi usage`."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from losi.cli.account import AccountId
from losi.cli.output import print_json, print_table
from losi.cli.session import Session, account_id, command
from losi.identity.values import InvalidValueError
from losi.metering.cost import cost as dollars
from losi.metering.usage import Usage

if TYPE_CHECKING:
    from losi.catalogue.catalogue import Catalogue
    from losi.metering.day_item import DayUsage

DEFAULT_DAYS = 30


def register(app: typer.Typer) -> None:
    command(app, "usage")(usage)


def usage(
    session: Session,
    account: AccountId,
    start: Annotated[
        str | None, typer.Option("--from", help="First UTC day; default: 30 days ago.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last UTC day; default: today.")] = None,
) -> None:
    """Show an account's usage by UTC day. Days without usage are left out.

    With --json it also says which key used which model.

    \b
    Examples:
      losi usage acct_Xy12Ab34Cd
      losi usage acct_Xy12Ab34Cd --from 2026-11-01 --to 2026-11-30 --json
    """
    last = _day("--to", end) if end else datetime.now(UTC).date()
    first = _day("--from", start) if start else last - timedelta(DEFAULT_DAYS - 1)
    if first > last:
        raise InvalidValueError(f"--from {first} is after --to {last}. Swap them.")
    id = account_id(account)
    session.accounts.account(id)  # an account that does not exist is an error, not no usage
    days = session.books.usage(id, first, last)
    if session.as_json:
        from losi.management.export import usage_json

        print_json([usage_json(day, session.catalogue) for day in days])
    elif days:
        _print(days, session.catalogue)
    else:
        typer.echo(f"No usage from {first} to {last}.")


def _print(days: "list[DayUsage]", catalogue: "Catalogue") -> None:
    total = sum((day.total for day in days), Usage(0, 0))
    costs = [_cost(day, catalogue) for day in days]
    rows = [
        _row(day.day.isoformat(), day.requests, day.total, cost)
        for day, cost in zip(days, costs, strict=True)
    ]
    rows.append(_row("Total", sum(day.requests for day in days), total, sum(costs)))
    print_table(("DAY", "REQUESTS", "INPUT TOKENS", "OUTPUT TOKENS", "COST"), rows, right=4)


def _row(label: str, requests: int, used: Usage, cost: float) -> tuple[str, ...]:
    counts = (requests, used.input_tokens, used.output_tokens)
    return (label, *(f"{count:,}" for count in counts), f"${cost:,.4f}")


def _cost(day: "DayUsage", catalogue: "Catalogue") -> float:
    """What the providers' list prices make of the day."""
    models = [(catalogue.by_code(code), used) for (_, code), (_, used) in day.by_key_model.items()]
    return sum(dollars(model.prices, used) for model, used in models if model)


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidValueError(f"{option} must be a date such as 2026-11-30.") from None
