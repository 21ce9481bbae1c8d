"""How routes did lately: calls to providers and those that failed, as the metrics count them.

A stack asks CloudWatch, `make run` its own file of lines. docs/observability.md says when there is
neither.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Protocol

import orjson

from losi.errors import MetricsUnavailableError
from losi.observe import lines
from losi.observe.metrics import ATTEMPTS, PROVIDER_FAILURES, ROUTE
from losi.observe.request import Attempt

logger = logging.getLogger("losi.routes")

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OK, FAILING, QUIET = "ok", "failing", "quiet"
#: Fewer calls in an hour say little.
FEWEST_CALLS = 3


@dataclass(slots=True)
class Figures:
    calls: int = 0
    failures: int = 0

    def add(self, calls: int, failures: int) -> None:
        self.calls += calls
        self.failures += failures


@dataclass(slots=True)
class Lately:
    """Of one route."""

    hour: Figures = field(default_factory=Figures)
    day: Figures = field(default_factory=Figures)

    @property
    def state(self) -> str:
        """`failing`: at least half of three or more calls; `quiet`: no call. Of the last hour."""
        if not self.hour.calls:
            return QUIET
        is_failing = self.hour.calls >= FEWEST_CALLS and self.hour.failures * 2 >= self.hour.calls
        return FAILING if is_failing else OK

    def add(self, is_of_this_hour: bool, calls: int = 0, failures: int = 0) -> None:
        self.day.add(calls, failures)
        if is_of_this_hour:
            self.hour.add(calls, failures)


class RouteFigures(Protocol):
    #: Where the figures are from: `cloudwatch` or `log`.
    source: ClassVar[str]

    def read(self, routes: Sequence[str], now: datetime) -> dict[str, Lately]:
        """Of each of these routes. Raises MetricsUnavailableError (503)."""
        ...


@dataclass(frozen=True, slots=True)
class FromLog:
    """`make run`: the lines that it has written into the folder of its data."""

    source: ClassVar[str] = "log"
    folder: Path

    def read(self, routes: Sequence[str], now: datetime) -> dict[str, Lately]:
        found = {route: Lately() for route in routes}
        for text in lines.of_folder(self.folder):
            for ended, attempt in _attempts(text):
                if attempt.route in found and now - ended <= DAY:
                    is_of_this_hour = now - ended <= HOUR
                    found[attempt.route].add(is_of_this_hour, 1, int(attempt.is_failure))
        return found


def _attempts(text: str) -> Iterator[tuple[datetime, Attempt]]:
    try:
        line = orjson.loads(text)
    except orjson.JSONDecodeError:  # the last line, which is just being written
        return
    for each in line.get("attempts") or ():  # none in lines of metrics alone, and of runs
        yield datetime.fromisoformat(line["timestamp"]), Attempt(each["route"], each["outcome"])


#: Of one call. Beyond 250 routes there is another.
#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
MOST_QUERIES = 500
QUERIES_OF_A_ROUTE = (ATTEMPTS, PROVIDER_FAILURES)
#: What an hour begins and ends with; CloudWatch sums by these.
STEP = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class FromCloudWatch:
    """A stack with `Metrics=details`. `client`: boto3's for CloudWatch."""

    source: ClassVar[str] = "cloudwatch"
    client: Any
    namespace: str

    def read(self, routes: Sequence[str], now: datetime) -> dict[str, Lately]:
        end = datetime.fromtimestamp(now.timestamp() // STEP.seconds * STEP.seconds, now.tzinfo)
        end += STEP
        found = {route: Lately() for route in routes}
        at_once = MOST_QUERIES // len(QUERIES_OF_A_ROUTE)
        for first in range(0, len(routes), at_once):
            asked = routes[first : first + at_once]
            for metric, position, began, value in self._sums(asked, end):
                figures = {"calls" if metric == ATTEMPTS else "failures": round(value)}
                found[asked[position]].add(began >= end - HOUR, **figures)
        return found

    def _sums(
        self, routes: Sequence[str], end: datetime
    ) -> Iterator[tuple[str, int, datetime, float]]:
        """Metric, position of the route, when the step began, the sum of the step."""
        from botocore.exceptions import BotoCoreError, ClientError

        queries = {
            f"m{number}_{position}": (metric, position, self._query(metric, route))
            for position, route in enumerate(routes)
            for number, metric in enumerate(QUERIES_OF_A_ROUTE)
        }
        try:
            pages = self.client.get_paginator("get_metric_data").paginate(
                MetricDataQueries=[
                    {"Id": name, "MetricStat": query} for name, (_, _, query) in queries.items()
                ],
                StartTime=end - DAY,
                EndTime=end,
            )
            for result in (each for page in pages for each in page["MetricDataResults"]):
                metric, position, _ = queries[result["Id"]]
                for began, value in zip(result["Timestamps"], result["Values"], strict=True):
                    yield metric, position, began, value
        except ClientError as error:
            raise _unavailable(error.response["Error"]["Code"]) from error
        except BotoCoreError as error:
            raise _unavailable(type(error).__name__) from error

    def _query(self, metric: str, route: str) -> dict[str, Any]:
        dimensions = [{"Name": ROUTE, "Value": route}]
        named = {"Namespace": self.namespace, "MetricName": metric, "Dimensions": dimensions}
        return {"Metric": named, "Period": STEP.seconds, "Stat": "Sum"}


def _unavailable(reason: str) -> MetricsUnavailableError:
    logger.warning("CloudWatch does not say how routes do: %s", reason)
    return MetricsUnavailableError(
        f"CloudWatch does not say how routes do ({reason}). Try again in a moment. If it lasts, "
        "see whether the role of the function `operator` may call cloudwatch:GetMetricData."
    )


def cloudwatch() -> Any:
    """boto3's client: imported by whom it serves, an operator's page."""
    import boto3
    from botocore.config import Config

    # within the 15 seconds that the console waits
    limits = Config(
        retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=1, read_timeout=5
    )
    return boto3.client("cloudwatch", config=limits)
