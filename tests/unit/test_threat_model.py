"""docs/security.md: each of its claims names a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLAIMS = re.findall(
    r"^\| (.+) \| `(tests/[\w/]+\.py)::([\w:]+)` \|$",
    (ROOT / "docs" / "security.md").read_text(),
    re.MULTILINE,
)


def test_every_claim_names_a_test() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    table = text.partition("## Claims")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")]

    assert len(CLAIMS) == len(rows) - 1 > 10  # all but the table's head


@pytest.mark.parametrize(("claim", "file", "name"), CLAIMS, ids=[row[0] for row in CLAIMS])
def test_it_exists(claim: str, file: str, name: str) -> None:
    nodes: list[ast.stmt] = ast.parse((ROOT / file).read_text()).body
    for part in name.split("::"):
        named = [
            n for n in nodes if isinstance(n, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        (found,) = [node for node in named if node.name == part]
        nodes = found.body
