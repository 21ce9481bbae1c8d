"""`losi logs`."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from losi.cli.connection import CannotConnectError, Connection
from losi.cli.output import print_json
from losi.cli.session import Session, account_id, command
from losi.identity.values import InvalidValueError
from losi.observe.lines import of_folder

Line = dict[str, Any]

_REQUEST_ID = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Wanted:
    """Requests that ran at any moment from `start` to before `end`."""

    start: datetime
    end: datetime
    account: str = ""
    request: str = ""
    failed: bool = False

    def takes(self, line: Line) -> bool:
        if "request_id" not in line:  # metrics alone, or a run by schedule
            return False
        ended = datetime.fromisoformat(line["timestamp"])
        began = ended - timedelta(milliseconds=line["duration_ms"])
        return (
            began < self.end
            and ended >= self.start
            and self.account in ("", line["account"])
            and self.request in ("", line["request_id"])
            and (line["error"] is not None or not self.failed)
        )


def register(app: typer.Typer) -> None:
    command(app, "logs")(logs)


def logs(
    session: Session,
    account: Annotated[str, typer.Option("--account", help="Only this account's.")] = "",
    request: Annotated[
        str, typer.Option("--request", help="Only this one: its x-request-id.")
    ] = "",
    at: Annotated[
        str, typer.Option("--at", help="A minute: 14:03 of today, or 2026-11-26T14:03; UTC.")
    ] = "",
    minutes: Annotated[
        int, typer.Option("--minutes", min=1, help="Without --at: how many minutes back.")
    ] = 60,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that failed.")] = False,
) -> None:
    """Show the results of requests, and who pays.

    For each request: what the caller saw, the calls to providers and their results, what the
    account is billed, and what failed attempts cost the operator. --json prints the whole
    lines.

    \b
    Examples:
      losi logs --account acct_Xy12Ab34Cd --at 14:03
      losi logs --failed --minutes 1440
      losi logs --request req_0123456789abcdef
    """
    if request and not _REQUEST_ID.fullmatch(request):
        raise InvalidValueError(f"'{request}' is no request id. It is in the x-request-id header.")
    whose = f"acct_{account_id(account)}" if account else ""
    now = datetime.now(UTC)
    start, end = _minute(at, now) if at else (now - timedelta(minutes=minutes), now)
    wanted = Wanted(start, end, whose, request, failed)
    found = sorted(_lines(session.connection, wanted), key=lambda line: str(line["timestamp"]))
    if session.as_json:
        print_json(found)
    elif found:
        for line in found:
            _print(line)
    else:
        typer.echo(f"No such requests from {start:%Y-%m-%d %H:%M} to {end:%H:%M} UTC.")


def _minute(text: str, now: datetime) -> tuple[datetime, datetime]:
    day = "" if "T" in text else f"{now:%Y-%m-%d}T"
    try:
        start = datetime.strptime(day + text, "%Y-%m-%dT%H:%M").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidValueError(f"--at {text}: write 14:03 or 2026-11-26T14:03 (UTC).") from None
    return start, start + timedelta(minutes=1)


def _lines(connection: Connection, wanted: Wanted) -> Iterator[Line]:
    if connection.stack:
        read = _of_stack(connection, wanted)
    elif connection.data is not None:
        read = of_folder(connection.data)
    else:
        raise CannotConnectError("A DynamoDB alone has no log. Name a stack, or LOSI_DATA.")
    for text in read:
        try:
            line = json.loads(text)
        except ValueError:  # Lambda's own lines, and prose
            continue
        if isinstance(line, dict) and wanted.takes(line):
            yield line


def _of_stack(connection: Connection, wanted: Wanted) -> Iterator[str]:
    """From CloudWatch Logs. A line comes when its request has ended, 15 minutes later at most."""
    client = connection.aws("logs")
    groups = client.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix=f"/losi/{connection.stack}/"
    )
    for group in (each for page in groups for each in page["logGroups"]):
        pages = client.get_paginator("filter_log_events").paginate(
            logGroupName=group["logGroupName"],
            startTime=_milliseconds(wanted.start),
            endTime=_milliseconds(wanted.end + timedelta(minutes=16)),
            filterPattern=_pattern(wanted),
        )
        yield from (event["message"] for page in pages for event in page["events"])


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def _pattern(wanted: Wanted) -> str:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html"""
    conditions = [f'($.request_id = "{wanted.request or "*"}")']
    if wanted.account:
        conditions.append(f'($.account = "{wanted.account}")')
    return "{ " + " && ".join(conditions) + " }"


def _print(line: Line) -> None:
    """A request in a few short lines: its result, its attempts, and who pays."""
    what = " ".join(filter(None, (line["endpoint"] or line["method"], line["model"])))
    outcome = " ".join(filter(None, (str(line["status"] or "no answer"), line["error"])))
    time = line["timestamp"][:19].replace("T", " ")
    typer.echo(f"{time}  {line['request_id']}  {outcome}")
    typer.echo(f"  {line['account'] or 'a stranger'}  {what}  {line['duration_ms']} ms")
    for attempt in line["attempts"]:
        typer.echo(f"  {attempt['route']}: {attempt['outcome']} after {attempt['ms']} ms")
    if (billed := line["micro_usd"]) is not None:
        typer.echo(f"  billed to the account: {billed / 1_000_000:.6f} USD")
    if lost := _lost(line["attempts"]):
        typer.echo(f"  lost, yours to pay: {lost:,} tokens")


def _lost(attempts: Iterable[Line]) -> int:
    return sum((each["input_tokens"] or 0) + (each["output_tokens"] or 0) for each in attempts)
