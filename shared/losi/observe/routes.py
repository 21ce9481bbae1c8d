"""How routes did recently: calls to providers and failed ones, as the metrics count them.

A stack asks CloudWatch, `make run` reads its own log file. docs/observability.md says when there is
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
#: With fewer calls in an hour, no state is derived.
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
    """Recent figures of one route."""

    hour: Figures = field(default_factory=Figures)
    day: Figures = field(default_factory=Figures)

    @property
    def state(self) -> str:
        """By the last hour: `failing`: at least half of three or more calls failed; `quiet`: no
        calls.
        """
        if not self.hour.calls:
            return QUIET
        is_failing = self.hour.calls >= FEWEST_CALLS and self.hour.failures * 2 >= self.hour.calls
        return FAILING if is_failing else OK

    def add(self, is_of_this_hour: bool, calls: int = 0, failures: int = 0) -> None:
        self.day.add(calls, failures)
        if is_of_this_hour:
            self.hour.add(calls, failures)


class RouteFigures(Protocol):
    #: The source of the figures: `cloudwatch` or `log`.
    source: ClassVar[str]

    def read(self, routes: Sequence[str], now: datetime) -> dict[str, Lately]:
        """Figures of each of these routes. Raises MetricsUnavailableError (503)."""
        ...


@dataclass(frozen=True, slots=True)
class FromLog:
    """For `make run`: reads the lines that it has written into its data folder."""

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
    except orjson.JSONDecodeError:  # the last line may be incomplete
        return
    for each in line.get("attempts") or ():  # lines of metrics alone, and of runs, have none
        yield datetime.fromisoformat(line["timestamp"]), Attempt(each["route"], each["outcome"])


#: One call takes 500 queries, which are two a route; more routes take another call.
#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
ROUTES_AT_ONCE = 250
QUERIES_OF_A_ROUTE = (ATTEMPTS, PROVIDER_FAILURES)
#: Seconds of a step: CloudWatch sums by steps, and hours begin and end with one.
STEP = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class FromCloudWatch:
    """For a stack with `Metrics=details`. `client`: boto3's for CloudWatch."""

    source: ClassVar[str] = "cloudwatch"
    client: Any
    namespace: str

    def read(self, routes: Sequence[str], now: datetime) -> dict[str, Lately]:
        end = datetime.fromtimestamp(now.timestamp() // STEP.seconds * STEP.seconds, now.tzinfo)
        end += STEP
        found = {route: Lately() for route in routes}
        for first in range(0, len(routes), ROUTES_AT_ONCE):
            some = routes[first : first + ROUTES_AT_ONCE]
            for metric, position, began, value in self._sums(some, end):
                figures = {"calls" if metric == ATTEMPTS else "failures": round(value)}
                found[some[position]].add(began >= end - HOUR, **figures)
        return found

    def _sums(
        self, routes: Sequence[str], end: datetime
    ) -> Iterator[tuple[str, int, datetime, float]]:
        """Metric, index of the route, start of the step, sum of the step."""
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
    """boto3's client. It is imported on use: only an operator's page needs it."""
    import boto3
    from botocore.config import Config

    # less than the 15 seconds that the console waits
    limits = Config(
        retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=1, read_timeout=5
    )
    return boto3.client("cloudwatch", config=limits)
