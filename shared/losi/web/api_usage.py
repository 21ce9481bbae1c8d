"""GET /api/v1/api-usage: tokens and requests per UTC day, as JSON or CSV."""

import csv
import io
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import Header, Query
from pydantic import Field
from starlette.responses import Response

from losi.catalogue.models import Catalogue
from losi.errors import InvalidRequestError
from losi.metering.day_item import DayUsage
from losi.metering.everyone import of_account
from losi.metering.spending import By, spent
from losi.metering.usage import Usage
from losi.web.dependencies import Services
from losi.web.endpoints import Answers
from losi.web.injection import AppServices, Caller
from losi.web.parsing import StrictQuery
from losi.web.responses import JsonResponse

if TYPE_CHECKING:
    from losi.web.schemas import UsageAnswer, UsageCsv

LONGEST_DAYS = 400
DEFAULT_DAYS = 30

Row = dict[str, Any]
Day = Annotated[str | None, Field(json_schema_extra={"format": "date"})]


class UsageQuery(StrictQuery):
    start_date: Day = Field(
        default=None,
        description="The first day, in UTC. Absent: 29 days before end_date.",
    )
    end_date: Day = Field(
        default=None, description="The last day, which counts too. Absent: today."
    )
    group_by: Literal["model", "key"] | None = Field(
        default=None,
        description="A row a day and model, or a day and key, with what it cost.",
    )


def get_usage(
    caller: Caller,
    services: AppServices,
    query: Annotated[UsageQuery, Query()],
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> "Annotated[Response, Answers(UsageAnswer, csv=UsageCsv)]":
    """Get API usage statistics for a specific date range, as JSON, or as CSV with
    `Accept: text/csv`. Days without usage are not listed; one request spans at most 400 days.
    """
    # test keys are not billed, and may not see what live keys used
    account_id = None if caller.test else caller.account_id
    return usage_response(services, account_id, query, accept)


def usage_response(
    services: Services, account_id: str | None, query: UsageQuery, accept: str | None
) -> Response:
    """The account's usage, as the query and the Accept header ask for it. Without an account: no
    usage.
    """
    start, end = date_range(query.start_date, query.end_date, datetime.now(UTC).date())
    days = [] if account_id is None else services.books.usage(account_id, start, end)
    rows = (
        grouped_rows(days, query.group_by, services.catalogue)
        if query.group_by
        else [{"day": d.day.isoformat(), **_figures(d.requests, d.total)} for d in days]
    )
    if "text/csv" in (accept or ""):
        return _csv(rows, query.group_by)
    return JsonResponse({"data": {"usage": rows, "summary": _summary(rows)}})


def date_range(start_date: str | None, end_date: str | None, today: date) -> tuple[date, date]:
    """The first and last day, both included; by default the last 30 days. Raises
    InvalidRequestError (400).
    """
    end = _parse_date("end_date", end_date) if end_date is not None else today
    if start_date is not None:
        start = _parse_date("start_date", start_date)
    else:
        start = date.fromordinal(max(1, end.toordinal() - DEFAULT_DAYS + 1))
    # a day that the caller did not name is explained, or the refusal speaks of a range unheard of
    shown_end = f"{end}" if end_date is not None else f"{end}: today in UTC, as none was sent"
    if start > end:
        remedy = "Swap them." if end_date is not None else "Choose an earlier day."
        raise InvalidRequestError(
            f"'start_date' ({start}) is after 'end_date' ({shown_end}). {remedy}",
            param="start_date",
            code="invalid_value",
        )
    if (end - start).days >= LONGEST_DAYS:
        raise InvalidRequestError(
            f"From 'start_date' ({start}) to 'end_date' ({shown_end}) are {(end - start).days + 1} "
            f"days; at most {LONGEST_DAYS} are answered at once. Ask for a shorter range.",
            param="start_date",
            code="invalid_value",
        )
    return start, end


def grouped_rows(
    days: Iterable[DayUsage], group_by: Literal["model", "key"], catalogue: Catalogue
) -> list[Row]:
    """One row per day and model, or day and key, with its cost at the catalogue's prices."""
    by = By(group_by)
    return [
        {
            "day": day,
            group_by: name,
            **_figures(one.requests, one.usage),
            "total_cached_tokens": one.usage.cached_tokens,
            "total_reasoning_tokens": one.usage.reasoning_tokens,
            "cost_usd": round(one.dollars, 6),
        }
        for (day, name), one in spent(of_account("", days), (By.DAY, by), catalogue).items()
    ]


def _figures(requests: int, usage: Usage) -> Row:
    return {
        "total_requests": requests,
        "total_input_tokens": usage.input_tokens,
        "total_output_tokens": usage.output_tokens,
    }


def _summary(rows: list[Row]) -> Row:
    names = ["total_requests", "total_input_tokens", "total_output_tokens"]
    summary: Row = {name: sum(row[name] for row in rows) for name in names}
    if rows and "cost_usd" in rows[0]:
        summary["cost_usd"] = round(sum(row["cost_usd"] for row in rows), 6)
    return summary


def _csv(rows: list[Row], group_by: str | None) -> Response:
    columns = ["day", "total_requests", "total_input_tokens", "total_output_tokens"]
    if group_by:
        columns.insert(1, group_by)
        columns += ["total_cached_tokens", "total_reasoning_tokens", "cost_usd"]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8")


def _parse_date(param: str, text: str) -> date:
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequestError(
            f"'{param}' must be a date as YYYY-MM-DD, for example 2026-06-30.",
            param=param,
            code="invalid_value",
        ) from error
