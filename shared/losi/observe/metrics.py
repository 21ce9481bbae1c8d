"""A line's metrics, in the words of CloudWatch's embedded metric format (EMF).

The line itself carries them: what CloudWatch reads as metrics is billed as one line of the log.
Names are OpenTelemetry's for generative AI where it has one, with its units; else `losi.*`.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
https://github.com/open-telemetry/semantic-conventions-genai/tree/main/docs/gen-ai
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from losi.observe.request import OK, Attempt, Event, RequestLine

OPERATION = "gen_ai.client.operation.duration"
INPUT_TOKENS = "gen_ai.client.inference.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.client.inference.usage.output_tokens"
TIME_TO_FIRST = "gen_ai.server.time_to_first_token"
TIME_PER_OUTPUT = "gen_ai.server.time_per_output_token"
#: All requests, and those that failed by our or a provider's fault: 0 or 1 each, so that their
#: averages are the error rate.
REQUESTS, FAULTS = "losi.requests", "losi.faults"
#: US dollars, at the catalogue's prices.
COST = "losi.cost"
OVERHEAD = "losi.overhead"
#: Answers by another route than the first one tried.
FALLBACKS = "losi.fallbacks"
#: Our own 429 answers: rates, which pass by themselves, and used-up quotas.
THROTTLES, QUOTA_REFUSALS = "losi.throttles", "losi.quota_refusals"
#: All errors, by code.
ERRORS = "losi.errors"
#: Calls to providers, and failed ones, by route.
ATTEMPTS, PROVIDER_FAILURES = "losi.attempts", "losi.provider.failures"

SECONDS, COUNT, NONE = "Seconds", "Count", "None"
UNITS = {
    OPERATION: SECONDS,
    INPUT_TOKENS: COUNT,
    OUTPUT_TOKENS: COUNT,
    TIME_TO_FIRST: SECONDS,
    TIME_PER_OUTPUT: SECONDS,
    REQUESTS: COUNT,
    FAULTS: COUNT,
    COST: NONE,
    OVERHEAD: SECONDS,
    FALLBACKS: COUNT,
    THROTTLES: COUNT,
    QUOTA_REFUSALS: COUNT,
    ERRORS: COUNT,
    ATTEMPTS: COUNT,
    PROVIDER_FAILURES: COUNT,
    **{event.value: COUNT for event in Event},
}
MODEL, ROUTE, ERROR = "gen_ai.request.model", "losi.route", "error.type"
#: Also reported by model, if `details` is on. Tokens by model can be queried from the log.
BY_MODEL = (OPERATION, TIME_TO_FIRST, COST)

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Metrics:
    """`namespace`: "" turns metrics off. `details`: also report by model, route and error code."""

    namespace: str
    details: bool

    def of_request(self, line: RequestLine) -> list[dict[str, Any]]:
        """The fields that make the request's line its metrics too; elements after the first are
        lines of their own.
        """
        if not self.namespace:
            return [{}]
        totals = {**dict(_totals(line)), **dict(line.counts)}
        first = _Embedded(self.namespace, line.timestamp)
        first.add({}, totals)
        if not self.details:
            return [first.as_json()]
        if line.model:
            first.refer({MODEL: line.model}, [name for name in BY_MODEL if name in totals])
        if line.error:
            first.add({ERROR: line.error}, {ERRORS: 1})
        made = [first]
        for position, (route, figures) in enumerate(_by_route(line.attempts).items()):
            if position:  # a line has one value for each name
                made.append(_Embedded(self.namespace, line.timestamp))
            made[-1].add({ROUTE: route}, figures)
        return [each.as_json() for each in made]

    def of_run(self, counts: Counter[str]) -> dict[str, Any]:
        """The same for a scheduled run."""
        if not self.namespace or not counts:
            return {}
        made = _Embedded(self.namespace)
        made.add({}, dict(counts))
        return made.as_json()


def _totals(line: RequestLine) -> Iterator[tuple[str, float]]:
    yield REQUESTS, 1
    yield FAULTS, int(line.is_fault)
    if line.attempts:
        yield OPERATION, line.duration_ms / 1000
        yield OVERHEAD, line.overhead_ms / 1000
    if line.input_tokens is not None:
        yield INPUT_TOKENS, line.input_tokens
        yield OUTPUT_TOKENS, line.output_tokens or 0
    if line.micro_usd is not None:
        yield COST, line.micro_usd / 1_000_000
    if line.first_chunk_ms is not None:
        yield TIME_TO_FIRST, line.first_chunk_ms / 1000
        if line.output_tokens and line.output_tokens > 1:
            writing = (line.duration_ms - line.first_chunk_ms) / 1000
            yield TIME_PER_OUTPUT, writing / (line.output_tokens - 1)
    if len({attempt.route for attempt in line.attempts}) > 1 and _answered(line.attempts):
        yield FALLBACKS, 1
    if line.status == 429:
        yield (THROTTLES if line.error_type == "rate_limit_error" else QUOTA_REFUSALS), 1


def _answered(attempts: list[Attempt]) -> bool:
    return attempts[-1].outcome == OK


def _by_route(attempts: list[Attempt]) -> Mapping[str, Figures]:
    found: dict[str, Figures] = {}
    for attempt in attempts:
        figures = found.setdefault(attempt.route, {ATTEMPTS: 0, PROVIDER_FAILURES: 0})
        figures[ATTEMPTS] += 1
        figures[PROVIDER_FAILURES] += attempt.is_failure
    return found


class _Embedded:
    def __init__(self, namespace: str, timestamp: str = "") -> None:
        self._namespace = namespace
        self._values: dict[str, Any] = {"timestamp": timestamp} if timestamp else {}
        self._directives: list[dict[str, Any]] = []

    def add(self, dimensions: dict[str, str], figures: Figures) -> None:
        self._values |= figures
        self.refer(dimensions, figures)

    def refer(self, dimensions: dict[str, str], names: Any) -> None:
        """Report the same values again, with these dimensions."""
        self._values |= dimensions
        self._directives.append(
            {
                "Namespace": self._namespace,
                "Dimensions": [list(dimensions)],
                "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in names],
            }
        )

    def as_json(self) -> dict[str, Any]:
        metadata = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": self._directives}
        return {**self._values, "_aws": metadata}
