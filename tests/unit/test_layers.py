"""Imports go one way: functions, local -> web -> use cases -> ledger, providers -> data."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: From the bottom up; a module may import its own layer and those below it.
LAYERS = [
    {"errors", "keys", "usage"},
    {"plans", "principal", "catalog", "store", "table", "records"},
    {"day_item", "limits", "ledger", "ledger_updates", "providers", "runtime"},
    {"auth", "accounts", "chat", "export"},
    {"web", "cli"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
LOSI = sorted((ROOT / "shared" / "losi").rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Full names of everything a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part(name: str) -> str:
    """`losi.chat.chunks` belongs to `chat`."""
    return name.split(".")[1]


def of_losi(path: Path) -> str:
    return path.relative_to(ROOT / "shared" / "losi").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", LOSI, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_imports_what_lies_above_it(path: Path) -> None:
    here = of_losi(path)
    for name in imported(path):
        assert not name.startswith(("functions", "local", "tests", "shared")), name
        if name.startswith("losi.") and here != "__init__":
            assert RANK[part(name)] <= RANK[here], f"{here} imports {name}"


def test_every_module_has_its_layer() -> None:
    assert {of_losi(path) for path in LOSI} - {"__init__"} == set(RANK)


def test_the_formats_of_providers_do_not_import_each_other() -> None:
    formats = ("anthropic", "bedrock", "openai_compatible", "sandbox")
    for path in (ROOT / "shared" / "losi" / "providers").glob("*.py"):
        own = [one for one in formats if path.stem.startswith(one)]
        if not own:
            continue
        for name in imported(path):
            if name.startswith("losi.providers."):
                others = [one for one in formats if name.split(".")[2].startswith(one)]
                assert set(others) <= set(own), f"{path.name} imports {name}"


def test_only_web_knows_the_web_framework() -> None:
    for path in LOSI:
        if of_losi(path) not in ("web", "runtime"):
            assert not any(n.startswith(("fastapi", "starlette", "mangum")) for n in imported(path))


def test_functions_are_wiring_and_do_not_import_each_other() -> None:
    for path in (ROOT / "functions").glob("*/app.py"):
        assert len(path.read_text().splitlines()) <= 15
        assert not any(name.startswith("functions") for name in imported(path))
