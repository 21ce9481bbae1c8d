"""The lines of requests, as a deployment writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson

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

    before = list(lines.outputs)
    lines.write_to(lambda line: found.append(json.loads(orjson.dumps(line))))
    try:
        yield found
    finally:
        lines.write_to(*before)
