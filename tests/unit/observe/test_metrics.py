"""The metrics in a line: what Powertools would make of them, and what the page says of them."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.metrics import EphemeralMetrics

from losi.observe import metrics
from losi.observe.metrics import UNITS, Metrics
from losi.observe.request import Attempt, Event, RequestLine

NAMESPACE = "losi/test"
PAGE = (Path(__file__).parents[3] / "docs" / "observability.md").read_text()


def line(**fields: Any) -> RequestLine:
    made = RequestLine("req_1", "POST", "curl")
    made.status = 200
    for name, value in fields.items():
        setattr(made, name, value)
    return made


STREAMED = line(
    model="gpt-4o",
    attempts=[Attempt("openai/gpt-4o")],
    input_tokens=1_000,
    output_tokens=101,
    micro_usd=3_000,
    duration_ms=3_000,
    first_chunk_ms=1_000,
    overhead_ms=10,
)


def of(made: RequestLine, *, details: bool = False) -> dict[str, Any]:
    return Metrics(NAMESPACE, details).of_request(made)[0]


def test_they_are_what_powertools_makes_of_the_same_figures() -> None:
    ours = of(STREAMED)
    (directive,) = ours["_aws"]["CloudWatchMetrics"]
    theirs = EphemeralMetrics(namespace=NAMESPACE)
    for each in directive["Metrics"]:
        theirs.add_metric(each["Name"], each["Unit"], ours[each["Name"]])
    reference: Any = theirs.serialize_metric_set()

    assert ours["_aws"]["CloudWatchMetrics"] == reference["_aws"]["CloudWatchMetrics"]
    assert ours["_aws"].keys() == reference["_aws"].keys()
    names = [each["Name"] for each in directive["Metrics"]]
    assert {name: [ours[name]] for name in names} == {name: reference[name] for name in names}


def test_they_are_in_seconds_tokens_and_dollars() -> None:
    found = of(STREAMED)

    assert found[metrics.OPERATION] == 3.0
    assert found[metrics.TIME_TO_FIRST] == 1.0
    assert found[metrics.TIME_PER_OUTPUT] == pytest.approx(2.0 / 100)
    assert found[metrics.OVERHEAD] == 0.01
    assert (found[metrics.INPUT_TOKENS], found[metrics.OUTPUT_TOKENS]) == (1_000, 101)
    assert found[metrics.COST] == 0.003


OK_LINE = {metrics.REQUESTS: 1, metrics.FAULTS: 0}
ASKED = {metrics.OPERATION: 0, metrics.OVERHEAD: 0}
SERVED = Attempt("a/x")
FAILED = Attempt("a/x", "upstream_error")


@pytest.mark.parametrize(
    ("made", "figures"),
    [
        (line(), OK_LINE),
        (line(error_type="server_error"), {metrics.REQUESTS: 1, metrics.FAULTS: 1}),
        (line(duration_ms=9, overhead_ms=9), OK_LINE),  # nobody was asked
        (
            line(attempts=[SERVED], duration_ms=9_000, overhead_ms=1_000),
            {**OK_LINE, metrics.OPERATION: 9, metrics.OVERHEAD: 1},
        ),
        (line(attempts=[SERVED]), {**OK_LINE, **ASKED}),
        (line(attempts=[FAILED, SERVED]), {**OK_LINE, **ASKED}),  # of one route
        (
            line(attempts=[FAILED, Attempt("b/x")]),
            {**OK_LINE, **ASKED, metrics.FALLBACKS: 1},
        ),
        (line(attempts=[FAILED, Attempt("b/x", "upstream_error")]), {**OK_LINE, **ASKED}),
        (
            line(input_tokens=0),
            {**OK_LINE, metrics.INPUT_TOKENS: 0, metrics.OUTPUT_TOKENS: 0},
        ),
        (
            line(input_tokens=7, output_tokens=3),
            {**OK_LINE, metrics.INPUT_TOKENS: 7, metrics.OUTPUT_TOKENS: 3},
        ),
        (line(micro_usd=0), {**OK_LINE, metrics.COST: 0}),
        (line(micro_usd=2_500_000), {**OK_LINE, metrics.COST: 2.5}),
        (line(first_chunk_ms=0), {**OK_LINE, metrics.TIME_TO_FIRST: 0}),
        (
            line(first_chunk_ms=500, output_tokens=1, duration_ms=900),
            {**OK_LINE, metrics.TIME_TO_FIRST: 0.5},  # one token takes no time per token
        ),
        (
            line(first_chunk_ms=500, output_tokens=2, duration_ms=900),
            {**OK_LINE, metrics.TIME_TO_FIRST: 0.5, metrics.TIME_PER_OUTPUT: 0.4},
        ),
        (line(counts=Counter({"losi.holds.expired": 2})), {**OK_LINE, "losi.holds.expired": 2}),
    ],
)
def test_a_line_has_the_figures_of_what_happened(
    made: RequestLine, figures: dict[str, float]
) -> None:
    found = of(made)
    directive = found.pop("_aws")["CloudWatchMetrics"][0]

    assert found == figures
    assert directive == {
        "Namespace": NAMESPACE,
        "Dimensions": [[]],
        "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in figures],
    }


def test_they_are_of_now_and_of_the_line_s_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("losi.observe.metrics.time.time", lambda: 1_800_000_000.25)
    made = line(timestamp="2027-01-15T08:00:00.250+00:00", attempts=[SERVED, Attempt("b/x")])
    first, second = Metrics(NAMESPACE, details=True).of_request(made)

    assert first["timestamp"] == second["timestamp"] == made.timestamp
    assert first["_aws"]["Timestamp"] == second["_aws"]["Timestamp"] == 1_800_000_000_250


def test_by_model_are_the_figures_that_there_are() -> None:
    def by_model(made: RequestLine) -> list[str]:
        directives = of(made, details=True)["_aws"]["CloudWatchMetrics"]
        (found,) = (each for each in directives if each["Dimensions"] == [[metrics.MODEL]])
        return [each["Name"] for each in found["Metrics"]]

    assert by_model(STREAMED) == [metrics.OPERATION, metrics.TIME_TO_FIRST, metrics.COST]
    assert by_model(line(model="gpt-4o", attempts=[SERVED])) == [metrics.OPERATION]


def test_by_route_are_its_calls_and_failures() -> None:
    made = line(attempts=[FAILED, Attempt("b/x", "refused"), SERVED, Attempt("b/x", "cancelled")])
    first, second = Metrics(NAMESPACE, details=True).of_request(made)

    assert (first[metrics.ROUTE], first[metrics.ATTEMPTS], first[metrics.PROVIDER_FAILURES]) == (
        "a/x",
        2,
        1,
    )
    assert {name: second[name] for name in second if name != "_aws"} == {
        metrics.ROUTE: "b/x",
        metrics.ATTEMPTS: 2,
        metrics.PROVIDER_FAILURES: 0,
    }


def test_without_details_there_is_one_line_without_dimensions() -> None:
    made = line(model="m", error="upstream_error", attempts=[FAILED, Attempt("b/x")])

    (only,) = Metrics(NAMESPACE, details=False).of_request(made)
    assert [each["Dimensions"] for each in only["_aws"]["CloudWatchMetrics"]] == [[[]]]


def test_without_a_namespace_there_are_none() -> None:
    assert Metrics("", details=True).of_request(STREAMED) == [{}]


def test_totals_have_no_dimensions() -> None:
    (directive,) = of(STREAMED)["_aws"]["CloudWatchMetrics"]

    assert directive["Dimensions"] == [[]]
    assert len(directive["Metrics"]) == 9


def test_details_are_by_model_route_and_error() -> None:
    made = line(
        model="gpt-4o",
        error_type="server_error",
        error="upstream_error",
        attempts=[
            Attempt("openai/gpt-4o", "upstream_error"),
            Attempt("openai/gpt-4o", "upstream_timeout"),
            Attempt("openai/gpt-6", "refused"),
        ],
    )
    first, second = Metrics(NAMESPACE, details=True).of_request(made)

    assert [each["Dimensions"] for each in first["_aws"]["CloudWatchMetrics"]] == [
        [[]],
        [["gen_ai.request.model"]],
        [["error.type"]],
        [["losi.route"]],
    ]
    assert (first["losi.route"], first[metrics.PROVIDER_FAILURES]) == ("openai/gpt-4o", 2)
    assert (second["losi.route"], second[metrics.PROVIDER_FAILURES]) == ("openai/gpt-6", 0)
    assert (first["error.type"], first[metrics.ERRORS]) == ("upstream_error", 1)


@pytest.mark.parametrize(
    ("error_type", "name"),
    [("rate_limit_error", metrics.THROTTLES), ("insufficient_quota", metrics.QUOTA_REFUSALS)],
)
def test_refusals_of_rate_and_of_quota_are_two_things(error_type: str, name: str) -> None:
    found = of(line(status=429, error_type=error_type, error="x"))

    assert found[name] == 1
    assert found[metrics.FAULTS] == 0


def test_a_run_by_schedule_has_its_counts() -> None:
    counts = Counter({Event.HOLD_EXPIRED.value: 2})

    found = Metrics(NAMESPACE, details=False).of_run(counts)

    assert found[Event.HOLD_EXPIRED.value] == 2
    assert Metrics(NAMESPACE, details=False).of_run(Counter()) == {}


def test_a_run_without_a_namespace_has_none() -> None:
    assert Metrics("", details=False).of_run(Counter({Event.HOLD_EXPIRED.value: 2})) == {}


def test_the_page_names_every_metric() -> None:
    rows = re.findall(r"^\| `([a-z_.]+)` \| (?:count|s|USD|0 or 1) \|", PAGE, re.MULTILINE)

    assert sorted(rows) == sorted(UNITS)


def test_every_unit_is_one_of_cloudwatchs() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        theirs = EphemeralMetrics(namespace=NAMESPACE)
        for name, unit in UNITS.items():
            theirs.add_metric(name, unit, 1)  # raises for a unit that there is not
