"""The tables of docs/reliability.md: each row is one fault, and is what its test expects."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.documentation import ROOT

PAGE = ROOT / "docs" / "reliability.md"
_ROW = re.compile(
    r"^\| (?P<fault>[^|]+) \| (?P<answer>JSON|stream|both) \| (?P<sees>[^|]+)"
    r" \| (?P<billed>[^|]+) \| `(?P<test>[^`|]+)` \|$"
)


@dataclass(frozen=True)
class Row:
    fault: str
    #: "JSON" or "stream", as the caller asked for it.
    answer: str
    #: Status and code, `error event` and code, or "the answer".
    sees: str
    #: Input and output tokens, as "11 + 7", or "nothing".
    billed: str
    #: Its file below tests/, and its name.
    test: str

    @property
    def streams(self) -> bool:
        return self.answer == "stream"

    @property
    def id(self) -> str:
        return f"{self.fault}, {self.answer}"


def rows(test: str | None = None) -> list[Row]:
    """All rows, or those of a test; a row for both kinds of answers is two."""
    found = []
    for line in PAGE.read_text("utf-8").splitlines():
        if (match := _ROW.match(line)) is None:
            continue
        cells = {name: cell.replace("`", "") for name, cell in match.groupdict().items()}
        kinds = ("JSON", "stream") if cells["answer"] == "both" else (cells["answer"],)
        found += [Row(**{**cells, "answer": kind}) for kind in kinds]
    return [row for row in found if test in (None, row.test)]


def lines_of_tables() -> list[str]:
    """The lines that should be rows: those of tables whose last column is the test."""
    lines, within = [], False
    for line in PAGE.read_text("utf-8").splitlines():
        if line.startswith("|") and line.endswith("| Test |"):
            within = True
        elif not line.startswith("|"):
            within = False
        elif within and not line.startswith("|-"):
            lines.append(line)
    return lines


def is_row(line: str) -> bool:
    return _ROW.match(line) is not None
