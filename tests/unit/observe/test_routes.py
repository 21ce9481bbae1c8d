"""How routes did lately: from the lines of `make run`, and from CloudWatch's metrics."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from losi.errors import MetricsUnavailableError
from losi.observe.metrics import Metrics
from losi.observe.request import Attempt, RequestLine
from losi.observe.routes import Figures, FromCloudWatch, FromLog, Lately, cloudwatch

NOW = datetime(2026, 11, 26, 14, 3, 30, tzinfo=UTC)
GPT, CLAUDE = "openai/gpt-4o", "anthropic/claude"
NAMESPACE = "losi/prod"


def made(minutes_ago: float, *attempts: Attempt) -> dict[str, Any]:
    """A request's line, with its metrics."""
    ended = NOW - timedelta(minutes=minutes_ago)
    line = RequestLine("req_1", "POST", "curl", timestamp=ended.isoformat(timespec="milliseconds"))
    line.attempts = list(attempts)
    first, *_ = Metrics(NAMESPACE, details=True).of_request(line)
    plain = [{"route": each.route, "outcome": each.outcome} for each in attempts]
    return {**line.as_json(), "attempts": plain, **first}


def ok(route: str = GPT) -> Attempt:
    return Attempt(route)


def down(route: str = GPT) -> Attempt:
    return Attempt(route, "upstream_unavailable")


class TestState:
    @pytest.mark.parametrize(
        ("calls", "failures", "state"),
        [(0, 0, "quiet"), (2, 2, "ok"), (3, 1, "ok"), (3, 2, "failing"), (4, 2, "failing")],
    )
    def test_it_fails_from_half_of_three_calls_on(
        self, calls: int, failures: int, state: str
    ) -> None:
        assert Lately(Figures(calls, failures), Figures(100, 100)).state == state


class TestFromLog:
    def test_attempts_are_counted_by_route_hour_and_day(self, tmp_path: Path) -> None:
        lines = [
            made(10, down(), ok(CLAUDE), ok("gone/model")),
            made(60, ok()),
            made(61, down()),
            made(24 * 60, ok()),
            made(24 * 60 + 1, down()),
        ]
        (tmp_path / "requests.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))

        found = FromLog(tmp_path).read([GPT, CLAUDE, "groq/llama"], NOW)

        assert found[GPT] == Lately(Figures(2, 1), Figures(4, 2))
        assert found[CLAUDE] == Lately(Figures(1, 0), Figures(1, 0))
        assert found["groq/llama"] == Lately()

    def test_a_refusal_of_the_request_is_no_failure_of_the_provider(self, tmp_path: Path) -> None:
        line = made(1, Attempt(GPT, "refused"), Attempt(GPT, "cancelled"))
        (tmp_path / "requests.jsonl").write_text(json.dumps(line))

        assert FromLog(tmp_path).read([GPT], NOW)[GPT].hour == Figures(2, 0)

    def test_the_file_before_counts_and_what_is_no_request_does_not(self, tmp_path: Path) -> None:
        (tmp_path / "requests.jsonl.1").write_text(json.dumps(made(1, ok())))
        run = {"timestamp": NOW.isoformat(), "run": "settlements", "counts": {}}
        (tmp_path / "requests.jsonl").write_text(json.dumps(run) + '\n{"timest')

        assert FromLog(tmp_path).read([GPT], NOW)[GPT].hour == Figures(1, 0)

    def test_before_the_first_request_all_is_quiet(self, tmp_path: Path) -> None:
        assert FromLog(tmp_path).read([GPT], NOW)[GPT].state == "quiet"


@dataclass
class CloudWatch:
    """Stands in for CloudWatch below boto3's own client, which checks names and types.

    Refuses what it refuses:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html
    """

    #: Namespace, metric, dimensions, when, value.
    kept: list[tuple[str, str, dict[str, str], datetime, float]] = field(default_factory=list)
    refusal: str = ""
    #: Values in one page.
    page: int = 100_800
    asked: list[dict[str, Any]] = field(default_factory=list)

    def client(self) -> Any:
        made = cloudwatch()
        events = made.meta.events
        events.register("provide-client-params.cloudwatch.GetMetricData", self._ask)
        events.register("before-call.cloudwatch.GetMetricData", self._answer)
        return made

    def ingest(self, lines: Iterable[dict[str, Any]]) -> None:
        """What the embedded metric format makes of lines."""
        for line in lines:
            at = datetime.fromisoformat(line["timestamp"])
            for each in line["_aws"]["CloudWatchMetrics"]:
                dimensions = {name: line[name] for name in each["Dimensions"][0]}
                for name in (metric["Name"] for metric in each["Metrics"]):
                    self.kept.append((each["Namespace"], name, dimensions, at, line[name]))

    def _ask(self, params: dict[str, Any], **_: Any) -> None:
        self.asked.append(params)

    def _answer(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        asked = self.asked[-1]
        if fault := self.refusal or _fault(asked):
            return SimpleNamespace(status_code=400), {"Error": {"Code": fault, "Message": fault}}
        points = [
            (query["Id"], *point)
            for query in asked["MetricDataQueries"]
            for point in self._points(query["MetricStat"], asked["StartTime"], asked["EndTime"])
        ]
        first = int(asked.get("NextToken", "0"))
        results = {
            query["Id"]: {"Id": query["Id"], "Timestamps": [], "Values": [], "Label": "x"}
            for query in asked["MetricDataQueries"]
        }
        for name, at, value in points[first : first + self.page]:
            results[name]["Timestamps"].append(at)
            results[name]["Values"].append(value)
        answer: dict[str, Any] = {"MetricDataResults": list(results.values())}
        if first + self.page < len(points):
            answer["NextToken"] = str(first + self.page)
        return SimpleNamespace(status_code=200), answer

    def _points(
        self, stat: dict[str, Any], start: datetime, end: datetime
    ) -> list[tuple[datetime, float]]:
        metric, sums = stat["Metric"], dict[datetime, float]()
        dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
        for namespace, name, having, at, value in self.kept:
            named = (namespace, name, having)
            if named == (metric["Namespace"], metric["MetricName"], dimensions):
                step = at.timestamp() // stat["Period"] * stat["Period"]
                if start <= (began := datetime.fromtimestamp(step, UTC)) < end:
                    sums[began] = sums.get(began, 0) + value
        return sorted(sums.items(), reverse=True)


def _fault(asked: dict[str, Any]) -> str:
    queries = asked["MetricDataQueries"]
    ids = {each["Id"] for each in queries}
    periods = {each["MetricStat"]["Period"] for each in queries}
    well_formed = all(re.fullmatch(r"[a-z][A-Za-z0-9_]*", each) for each in ids)
    whole = well_formed and len(ids) == len(queries) <= 500
    if whole and asked["StartTime"] < asked["EndTime"] and not any(each % 60 for each in periods):
        return ""
    return "ValidationError"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> CloudWatch:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    return CloudWatch()


class TestFromCloudWatch:
    def test_it_reads_what_our_own_lines_said(self, service: CloudWatch) -> None:
        service.ingest([made(10, down(), ok()), made(30, ok()), made(90, down())])
        service.ingest([made(24 * 60 + 10, down())])

        found = FromCloudWatch(service.client(), NAMESPACE).read([GPT, CLAUDE], NOW)

        assert found == {GPT: Lately(Figures(3, 1), Figures(4, 2)), CLAUDE: Lately()}
        assert len(service.asked) == 1

    def test_what_came_a_moment_ago_is_of_this_hour(self, service: CloudWatch) -> None:
        service.ingest([made(0, down())])

        found = FromCloudWatch(service.client(), NAMESPACE).read([GPT], NOW)

        assert found[GPT].hour == Figures(1, 1)

    def test_it_gives_up_before_the_console_does(self, service: CloudWatch) -> None:
        config = service.client().meta.config

        tries = config.retries["total_max_attempts"]
        assert tries * (config.connect_timeout + config.read_timeout) == 12  # of its 15 seconds
        assert config.retries["mode"] == "standard"

    def test_another_stack_s_metrics_are_not_ours(self, service: CloudWatch) -> None:
        service.ingest([made(10, down())])

        assert FromCloudWatch(service.client(), "losi/other").read([GPT], NOW)[GPT] == Lately()

    def test_all_pages_of_an_answer_are_read(self, service: CloudWatch) -> None:
        service.page = 1
        service.ingest([made(minutes, down()) for minutes in (1, 11, 21)])

        found = FromCloudWatch(service.client(), NAMESPACE).read([GPT], NOW)

        assert found[GPT].hour == Figures(3, 3)

    def test_beyond_what_one_call_takes_there_is_another(self, service: CloudWatch) -> None:
        routes = [f"openai/model-{number}" for number in range(251)]
        service.ingest([made(1, ok(routes[0])), made(1, ok(routes[250]))])

        found = FromCloudWatch(service.client(), NAMESPACE).read(routes, NOW)

        assert [len(each["MetricDataQueries"]) for each in service.asked] == [500, 2]
        assert [route for route in routes if found[route].hour.calls] == [routes[0], routes[250]]

    def test_one_that_cannot_be_reached_is_said(self, service: CloudWatch) -> None:
        def unreachable(**_: Any) -> None:
            raise EndpointConnectionError(endpoint_url="https://monitoring.test")

        client = service.client()
        client.meta.events.register_first("before-call.cloudwatch.GetMetricData", unreachable)

        with pytest.raises(MetricsUnavailableError, match="EndpointConnectionError"):
            FromCloudWatch(client, NAMESPACE).read([GPT], NOW)

    @pytest.mark.parametrize("code", ["AccessDenied", "Throttling"])
    def test_a_refusal_says_which_and_what_to_look_at(self, service: CloudWatch, code: str) -> None:
        service.refusal = code

        with pytest.raises(MetricsUnavailableError, match=rf"{code}.*cloudwatch:GetMetricData"):
            FromCloudWatch(service.client(), NAMESPACE).read([GPT], NOW)
