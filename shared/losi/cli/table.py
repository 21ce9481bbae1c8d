"""`losi table`: exports, imports and checks the table."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from losi.cli.output import print_json, print_table
from losi.cli.session import Session, command, fail, group
from losi.identity.values import InvalidValueError

if TYPE_CHECKING:
    from losi.store.table import Table

app = group("Export, import and check the whole table.")

Name = Annotated[
    str | None, typer.Option("--table", help="Another table of the Region, such as a restored one.")
]
#: Shown while it goes on.
EVERY = 10_000


@command(app, "export")
def export(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="With .gz it is compressed.")],
    table: Name = None,
) -> None:
    """Write all items into a file, one per line.

    The file contains names, addresses and hashes of keys; other users cannot read it. Items
    are read one after another. For a consistent copy, restore the table to a moment, and
    export the restored table.

    \b
    Example:
      losi table export losi.jsonl.gz --stack losi-prod
    """
    from losi.store import copies

    try:
        count = _shown(copies.write(_table(session, table).everything(), file), "written")
    except OSError as error:
        raise InvalidValueError(f"{file} cannot be written: {error.strerror}.") from None
    _print(session, {"items": count, "file": str(file)}, f"{count:,} items are in {file}.")


@command(app, "import")
def import_(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `export` wrote.")],
    table: Name = None,
    again: Annotated[bool, typer.Option("--again", help="Continue an interrupted import.")] = False,
) -> None:
    """Write all items of a file into an empty table.

    The whole file is read before anything is written, so a damaged file changes nothing.
    DynamoDB's own exports to S3 (DynamoDB JSON) can be imported too.

    \b
    Example:
      losi table import losi.jsonl.gz --stack losi-new
    """
    from losi.store import copies

    into = _table(session, table)
    try:
        total = sum(1 for _ in copies.read(file))
        if not again and _holds_data(into):
            fail(
                "The table is not empty. Import into a new one. --again goes on with an import "
                "that broke off: the file's items replace the table's, newer ones too."
            )
        count = _shown(copies.load(copies.read(file), into), f"of {total:,} written")
    except copies.CopyError as error:
        raise InvalidValueError(str(error)) from None
    except OSError as error:
        raise InvalidValueError(f"{file} cannot be read: {error.strerror}.") from None
    _print(session, {"items": count}, f"{count:,} items were written. Next: losi table check")


@command(app, "check")
def check(session: Session, table: Name = None) -> None:
    """Check the books, accounts, keys and addresses of a table.

    It reads the whole table. Items that change at the same time may look wrong: check again,
    or check a restored copy. If there are mistakes, the exit code is 1.

    \b
    Example:
      losi table check --stack losi-prod --table losi-restored
    """
    from losi.management import table_check

    checked = table_check.check(_table(session, table).everything())
    if session.as_json:
        print_json({"items": dict(sorted(checked.counts.items())), "mistakes": checked.mistakes})
    else:
        rows = [(kind, f"{count:,}") for kind, count in sorted(checked.counts.items())]
        print_table(("KIND", "ITEMS"), rows, right=1)
        for mistake in checked.mistakes:
            typer.echo(mistake, err=True)
        typer.echo(f"\n{len(checked.mistakes)} mistakes." if checked.mistakes else "\nNo mistakes.")
    if checked.mistakes:
        raise typer.Exit(1)


def _table(session: Session, name: str | None) -> "Table":
    from losi.store.table import Table

    return Table(session.connection.client, name or session.connection.table)


def _holds_data(table: "Table") -> bool:
    """Whether the table has more than the items that an empty API writes itself."""
    own = {"EMAIL#", "RECONCILIATION"}
    return any(item["pk"]["S"] not in own for item in table.everything())


def _shown(counts: Iterator[int], what: str) -> int:
    count = 0
    for count in counts:
        if count % EVERY == 0 and count:
            typer.echo(f"{count:,} items {what}", err=True)
    return count


def _print(session: Session, facts: dict[str, object], text: str) -> None:
    if session.as_json:
        print_json(facts)
    else:
        typer.echo(text)
