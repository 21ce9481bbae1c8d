"""The lines of requests, as a deployment writes them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from losi.observe import lines
from losi.observe.request import RequestLine, observed

Line = dict[str, Any]


@contextmanager
def in_a_request() -> Iterator[RequestLine]:
    """What the web layer does around a request, for tests of the rooms below it."""
    line = RequestLine("req_1", "POST", "none")
    with observed(line):
        yield line


@contextmanager
def written_lines() -> Iterator[list[Line]]:
    """All lines that this process writes meanwhile, those that are metrics alone too."""
    found: list[Line] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(json.loads(record.getMessage()))

    before = lines.logger.handlers
    lines.write_to(Kept())
    try:
        yield found
    finally:
        lines.logger.handlers = before
