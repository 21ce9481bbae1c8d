"""Writes the log lines of `make run`: whole to a file, in short to the terminal."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

logger = logging.getLogger("losi.web")

#: Then the file becomes `requests.jsonl.1`, in place of the one before.
MOST_BYTES = 10_000_000


def requests_log(path: Path) -> tuple[logging.Handler, logging.Handler]:
    return RotatingFileHandler(path, maxBytes=MOST_BYTES, backupCount=1), OnTheTerminal()


class OnTheTerminal(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        line: dict[str, object] = getattr(record, "line", {})
        if "request_id" in line:  # some lines hold only metrics
            logger.info("%s", in_short(line))


def in_short(line: dict[str, object]) -> str:
    words = [line["request_id"], line["method"], line["endpoint"] or "-", line["status"] or "-"]
    words += [f"{line['duration_ms']} ms", line["account"] or "-"]
    words += [word for word in (line["model"], line["error"]) if word]
    return " ".join(map(str, words))
