"""Decision records have one heading style, and numbers without holes."""

import re
from pathlib import Path

import pytest

RECORDS = sorted((Path(__file__).parents[2] / "docs" / "decisions").glob("*.md"))
HEADING = re.compile(
    r"# (\d{4}): [A-Z].*\n\nStatus: (accepted|superseded by \d{4}), \d{1,2} [A-Z][a-z]+ \d{4}\n\n"
)


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_a_record_begins_with_number_title_status_and_date(record: Path) -> None:
    heading = HEADING.match(record.read_text())

    assert heading, f"{record.name} begins otherwise than '# 0001: Title', blank, 'Status: ...'"
    assert record.name.startswith(f"{heading[1]}-")


def test_numbers_have_no_holes() -> None:
    assert [int(record.name[:4]) for record in RECORDS] == [*range(1, len(RECORDS) + 1)]
