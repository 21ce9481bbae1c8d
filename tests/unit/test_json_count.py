"""Values of a JSON text are counted without parsing it, also where it is hostile or no JSON."""

from __future__ import annotations

import json
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from losi.json_count import holds_more_values

MEGABYTES = 6 * 1024 * 1024

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=40,
)


def values(data: Any) -> int:
    """Array items and properties, and one more for each array and object."""
    if not isinstance(data, dict | list):
        return 0
    inner = list(data.values()) if isinstance(data, dict) else data
    # n items have n - 1 commas and their bracket; an empty array has its bracket alone
    return max(1, len(inner)) + sum(map(values, inner))


@given(json_values, st.booleans())
@example('"[{,\\', True)
def test_it_counts_what_the_parser_would_make(data: Any, ascii: bool) -> None:
    text = json.dumps(data, ensure_ascii=ascii).encode("utf-8", "surrogatepass")
    count = values(data)

    assert not holds_more_values(text, count)
    assert count == 0 or holds_more_values(text, count - 1)


@given(st.binary(), st.integers(0, 5))
def test_any_bytes_have_an_answer(text: bytes, limit: int) -> None:
    assert holds_more_values(text, limit) in (True, False)


@pytest.mark.parametrize(
    "unit",
    [b"0,", b'{"":{}},', b'"",1,', b"[", b'""', b'"[,"', b'"a":"b",', b"\\", b'\\"', b'"\\', b" "],
)
@pytest.mark.parametrize("before", [b"", b'"', b"["])
def test_no_six_megabytes_cost_memory_or_much_time(unit: bytes, before: bytes) -> None:
    text = before + unit * (MEGABYTES // len(unit))
    tracemalloc.start()
    began = time.process_time()

    holds_more_values(text, 100_000)

    spent, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
    # measured 0.35 s at most; quadratic would be hours, so that a slow machine passes too
    assert spent < 10


def test_commas_inside_of_strings_are_none() -> None:
    code = json.dumps({"content": "f(a, b, [c, {d}])" * 1000}).encode()

    assert not holds_more_values(code, 1)
