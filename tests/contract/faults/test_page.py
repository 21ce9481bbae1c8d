"""docs/reliability.md: every line of its tables is a row, and every row's test is there."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.documentation import ROOT
from tests.faults.page import is_row, lines_of_tables, rows

#: Words that a cell of "The caller sees" is made of, beside codes; tests compare it to what came.
KINDS = (
    "the answer",
    "error event ",
    "a cut connection",
    "nobody",
    *map(str, (200, *range(400, 600))),
)


def test_every_line_of_a_table_is_a_row() -> None:
    lines = lines_of_tables()

    assert len(lines) > 90
    assert [line for line in lines if not is_row(line)] == []


def test_no_fault_stands_there_twice() -> None:
    counted = Counter((row.test, row.id) for row in rows())

    assert [row for row, count in counted.items() if count > 1] == []


@pytest.mark.parametrize("test", sorted({row.test for row in rows()}))
def test_the_test_of_a_row_is_there_and_reads_it(test: str) -> None:
    file, *scope, name = test.split("::")
    source = (ROOT / "tests" / file).read_text("utf-8")

    assert f"def {name}(" in source, f"{test} is not there"
    assert all(f"class {each}" in source for each in scope)
    assert f'rows("{test}")' in source, f"{test} does not take what it expects from the page"


def test_what_a_caller_sees_is_said_in_few_words() -> None:
    assert [row.id for row in rows() if not row.sees.startswith(KINDS)] == []
