"""Writes the lines of requests and scheduled runs, and reads those of `make run`.

They do not go through `logging`: CloudWatch finds metrics only in lines that are JSON objects as a
whole, and a log record costs more than the line.
"""

import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from losi import __version__
from losi.observe.metrics import Metrics
from losi.observe.request import RequestLine

if TYPE_CHECKING:
    from losi.wire import JsonObject

logger = logging.getLogger("losi.lines")

Output = Callable[["JsonObject"], None]
#: Where lines are written.
outputs: list[Output] = []


def write_to(*chosen: Output) -> None:
    """Set where lines are written. Before the first call they are written nowhere."""
    outputs[:] = chosen


def to_standard_output(line: "JsonObject") -> None:
    sys.stdout.write(orjson.dumps(line).decode() + "\n")
    sys.stdout.flush()


def of_folder(data: Path) -> Iterator[str]:
    """The lines that `make run` has written into this folder, oldest first."""
    for name in ("requests.jsonl.1", "requests.jsonl"):
        if (path := data / name).is_file():
            yield from path.read_text().splitlines()


def write(line: RequestLine, metrics: Metrics) -> None:
    if not outputs:
        return
    first, *others = metrics.of_request(line)
    _write({**line.as_json(), **first})
    for other in others:
        _write(other)


def write_run(name: str, counts: Counter[str], metrics: Metrics, **figures: int) -> None:
    """Write the line of a scheduled run."""
    line = {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": "INFO",
        "version": __version__,
        "run": name,
        **figures,
        "counts": counts,
    }
    _write({**line, **metrics.of_run(counts)})


def _write(line: "JsonObject") -> None:
    for output in outputs:
        try:
            output(line)
        except OSError as error:  # a full disk must not break the answer
            logger.error("a line was not written: %s", error.strerror)
