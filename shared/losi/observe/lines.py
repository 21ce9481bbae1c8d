"""Writes log lines without the formats that servers and Lambda add to other logs, and reads those
of `make run`.

CloudWatch finds metrics only in lines that are JSON objects as a whole.
"""

import logging
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from losi import __version__
from losi.observe.metrics import Metrics
from losi.observe.request import RequestLine

logger = logging.getLogger("losi.requests")
logger.propagate = False


class StandardOutput(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        sys.stdout.write(record.getMessage() + "\n")
        sys.stdout.flush()


def write_to(*handlers: logging.Handler) -> None:
    """Set where lines are written. Before the first call they are written nowhere."""
    logger.setLevel(logging.INFO)
    logger.handlers = list(handlers)


def of_folder(data: Path) -> Iterator[str]:
    """The lines that `make run` has written into this folder, oldest first."""
    for name in ("requests.jsonl.1", "requests.jsonl"):
        if (path := data / name).is_file():
            yield from path.read_text().splitlines()


def write(line: RequestLine, metrics: Metrics) -> None:
    if not logger.handlers:
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


def _write(line: dict[str, Any]) -> None:
    logger.info("%s", orjson.dumps(line).decode(), extra={"line": line})
