"""Imports go one way; the contracts stand in pyproject.toml."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_rooms_of_losi_keep_their_order() -> None:
    # in a process of its own: the linter reconfigures logging
    lint = (
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    )
    result = subprocess.run(
        [sys.executable, "-c", lint], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout


def test_functions_are_wiring_and_do_not_import_each_other() -> None:
    for path in (ROOT / "functions").glob("*/app.py"):
        source = path.read_text()
        assert len(source.splitlines()) <= 15
        modules = [
            node.module
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.ImportFrom) and node.module
        ]
        assert not any(module.startswith("functions") for module in modules)
