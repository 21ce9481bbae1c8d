"""CloudWatch, as far as alarms go: it takes metrics from log lines, and judges an alarm by them.

It refuses what the real one drops without a word: a line that is no embedded metric, more than 100
metrics or 30 dimensions, a value that is no number, a time too far away.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

from __future__ import annotations

import math
import operator
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

#: Namespace, name, and dimensions by name.
Metric = tuple[str, str, frozenset[tuple[str, str]]]

MOST_METRICS, MOST_DIMENSIONS, LONGEST_NAME = 100, 30, 1024
TWO_WEEKS, TWO_HOURS = 14 * 86_400, 2 * 3_600
#: An alarm of a period of a day or less looks back a day, of an hour or more a week.
DAY, WEEK, HOUR = 86_400, 7 * 86_400, 3_600
COMPARISONS = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


class CloudWatch:
    def __init__(self) -> None:
        self._values: dict[Metric, list[tuple[float, float]]] = defaultdict(list)

    def take(self, lines: Iterable[Mapping[str, Any]], at: float) -> None:
        """Lines of a log that were written at that second."""
        for line in lines:
            if "_aws" in line:
                self._embedded(line, at)

    def put(self, namespace: str, name: str, value: float, at: float, **dimensions: str) -> None:
        """What a service of AWS's tells by itself."""
        self._values[namespace, name, frozenset(dimensions.items())].append((at, value))

    def names(self) -> set[str]:
        return {name for _, name, _ in self._values}

    def _embedded(self, line: Mapping[str, Any], at: float) -> None:
        age = time.time() - line["_aws"]["Timestamp"] / 1000
        assert -TWO_HOURS < age < TWO_WEEKS, "CloudWatch drops what is that old"
        for directive in line["_aws"]["CloudWatchMetrics"]:
            assert directive["Namespace"]
            assert len(directive["Metrics"]) <= MOST_METRICS
            for names in directive["Dimensions"]:
                assert len(names) <= MOST_DIMENSIONS
                assert all(isinstance(line[name], str) and line[name] for name in names)
                dimensions = frozenset((name, line[name]) for name in names)
                for metric in directive["Metrics"]:
                    value = line[metric["Name"]]
                    assert 0 < len(metric["Name"]) <= LONGEST_NAME
                    assert isinstance(value, int | float) and math.isfinite(value)
                    where = (directive["Namespace"], metric["Name"], dimensions)
                    self._values[where].append((at, value))

    def raises(self, alarm: Mapping[str, Any]) -> bool:
        """Whether the alarm (its resource's properties) is raised at the end of any period."""
        period, periods = alarm["Period"], alarm["EvaluationPeriods"]
        assert period * periods <= (WEEK if period >= HOUR else DAY), "CloudWatch refuses it"
        found = self._values.get(_metric(alarm), [])
        windows: dict[int, list[float]] = defaultdict(list)
        for at, value in found:
            windows[int(at // period)].append(value)
        assert alarm["TreatMissingData"] == "notBreaching"
        breaches = {window for window, values in windows.items() if _breaches(alarm, values)}
        needed = alarm.get("DatapointsToAlarm", periods)
        return any(
            sum(window - back in breaches for back in range(periods)) >= needed
            for window in breaches
        )


def _metric(alarm: Mapping[str, Any]) -> Metric:
    dimensions = {each["Name"]: each["Value"] for each in alarm.get("Dimensions", [])}
    return alarm["Namespace"], alarm["MetricName"], frozenset(dimensions.items())


def _breaches(alarm: Mapping[str, Any], values: list[float]) -> bool:
    statistic = alarm.get("Statistic") or alarm["ExtendedStatistic"]
    compare = COMPARISONS[alarm["ComparisonOperator"]]
    return bool(compare(_of(statistic, values), float(alarm["Threshold"])))


def _of(statistic: str, values: list[float]) -> float:
    match statistic:
        case "Sum":
            return sum(values)
        case "Average":
            return statistics.fmean(values)
        case "Maximum":
            return max(values)
    assert statistic.startswith("p")
    rank = math.ceil(float(statistic[1:]) / 100 * len(values))
    return sorted(values)[max(0, rank - 1)]
