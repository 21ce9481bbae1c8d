"""`losi reconcile`."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from losi.cli.output import print_json, print_table
from losi.cli.session import Session, command
from losi.cli.usage import Scan, used_by_all
from losi.identity.values import InvalidValueError

if TYPE_CHECKING:
    from losi.metering.comparison import Booked, Line
    from losi.metering.usage_exports import Figures, ProviderUsage


def register(app: typer.Typer) -> None:
    command(app, "reconcile")(reconcile)


def reconcile(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The provider's export.")],
    provider: Annotated[str, typer.Option(help="openai or anthropic.")],
    scan: Scan = False,
) -> None:
    """Compare a provider's usage export with the books.

    It compares by UTC day and model, and names the reason for each difference. docs/cli.md
    lists the JSON and CSV files that it reads. If anything differs, the exit code is 1.

    \b
    Example:
      losi reconcile --provider openai usage.json --stack losi-prod
    """
    from losi.metering.comparison import compare
    from losi.metering.usage_exports import ExportError, read

    try:
        reported = read(provider, file.read_text("utf-8"))
    except OSError as error:
        raise InvalidValueError(f"{file} cannot be read: {error.strerror}.") from None
    except ExportError as error:
        raise InvalidValueError(str(error)) from None
    lines = compare(provider, reported, _booked(session, reported, scan), session.catalogue)
    if session.as_json:
        print_json([_json(line) for line in lines])
    else:
        _print(lines)
    if any(line.differs for line in lines):
        raise typer.Exit(1)


def _booked(session: Session, reported: "ProviderUsage", scan: bool) -> "Booked":
    from losi.metering.usage_exports import Figures

    days = {day for day, _ in reported}
    booked: dict[date, dict[str, Figures]] = {day: {} for day in days}
    for row in used_by_all(session, days, scan=scan):
        figures = Figures(row.requests, row.usage.input_tokens, row.usage.output_tokens)
        sums = booked[row.day]
        sums[row.model_code] = sums.get(row.model_code, Figures()) + figures
    return booked


def _json(line: "Line") -> dict[str, Any]:
    return {
        "day": line.day.isoformat(),
        "provider_models": line.upstream,
        "models": list(line.models),
        "provider": asdict(line.reported),
        "books": asdict(line.booked),
        "differs": line.differs,
        "why": line.why,
    }


def _print(lines: "Iterable[Line]") -> None:
    lines = list(lines)
    rows = [
        (
            line.day.isoformat(),
            line.upstream,
            *(
                f"{_shown(theirs)}\n{_shown(ours)}"
                for theirs, ours in zip(_parts(line.reported), _parts(line.booked), strict=True)
            ),
        )
        for line in lines
    ]
    print_table(("DAY", "MODEL", "REQUESTS", "INPUT", "OUTPUT"), rows, right=3)
    typer.echo("\nOf two figures, the first is the provider's and the second is from the books.")
    for line in lines:
        if line.why:
            typer.echo(f"\n{line.day} {line.upstream}: {line.why}.")
    off = sum(line.differs for line in lines)
    typer.echo(f"\n{off} of {len(lines)} differ." if off else "\nAll agree.")


def _parts(figures: "Figures") -> tuple[int | None, int, int]:
    return figures.requests, figures.input_tokens, figures.output_tokens


def _shown(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"
