"""`make bench-peers` writes its tables into docs/performance.md, and nothing but them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench import report

FOUND = {
    "stream burst, 103 events": {"losi": [1.0], "other": [2.0], "direct": [0.5]},
    "JSON": {"losi": [3.0], "other": [4.0], "direct": [1.0]},
}
PAGE = """# Performance

Before.

<!-- written by make bench-peers -->

| old |

<!-- end -->

Between, with a table of its own:

<!-- python -m bench.cost -->

| cost |

<!-- end -->

<!-- written by make bench-peers -->

| old too |

<!-- end -->

After:

<!-- python -m bench.cost -->

| cost |

<!-- end -->

The end.
"""


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(report, "DOCS", tmp_path)
    (tmp_path / "performance.md").write_text(PAGE)
    return tmp_path


def test_all_but_the_tables_stays_as_it_was(docs: Path) -> None:
    report.write(["| new |\n", "| new too |\n"], FOUND)

    written = (docs / "performance.md").read_text()
    assert written == PAGE.replace("| old |", "| new |").replace("| old too |", "| new too |")


def test_written_again_it_is_the_same(docs: Path) -> None:
    pages = []
    for _ in range(2):
        report.write(["| new |\n", "| new too |\n"], FOUND)
        pages.append((docs / "performance.md").read_text())

    assert pages[0] == pages[1]


def test_other_tables_than_the_page_has_marks_for_write_nothing(docs: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        report.write(["| new |\n"], FOUND)

    assert (docs / "performance.md").read_text() == PAGE


def test_the_pictures_have_a_bar_for_each_gateway(docs: Path) -> None:
    report.write(["| new |\n", "| new too |\n"], FOUND)

    for name in ("stream", "json"):
        drawn = (docs / f"performance-{name}.svg").read_text()
        assert ">losi<" in drawn and ">other<" in drawn and ">direct<" not in drawn


def test_the_cheapest_gateway_is_drawn_first() -> None:
    drawn = report.picture({"dear": [30.0], "cheap": [1.0, 1.0, 9.0], "between": [2.0]}, "CPU")

    assert re.findall(r'x="8" y="\d+">(\w+)<', drawn) == ["cheap", "between", "dear"]
