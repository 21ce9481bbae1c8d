"""Imports go one way; the contracts stand in pyproject.toml."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

ROOT = Path(__file__).parents[2]
#: Imports that would be holes or circles: by whom, of what, and as the linter names it.
FORBIDDEN = [
    # downwards, but who answers does not meter
    ("upstream/format.py", "losi.metering.ledger", "losi.upstream.format -> losi.metering.ledger"),
    ("metering/day_item.py", "losi.upstream.sse", "losi.metering.day_item -> losi.upstream.sse"),
    # day_item imports usage: a circle within a room
    ("metering/usage.py", "losi.metering.day_item", ".usage -> .day_item"),
    ("upstream/bedrock/client.py", "losi.upstream.openai.chat", "losi.upstream.openai.chat"),
    ("json_schema/schema.py", "losi.errors", "losi.json_schema.schema -> losi.errors"),
    ("json_schema/regex.py", "losi.wire", "losi.json_schema.regex -> losi.wire"),
    ("observe/lines.py", "fastapi", "losi.observe.lines -> fastapi"),
    ("upstream/http.py", "losi.metering.settler", "losi.upstream.http -> losi.metering.settler"),
    ("chat/completions.py", "starlette.requests", "losi.chat.completions -> starlette"),
]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    # in a process of its own: the linter reconfigures logging
    script = (
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    )
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "shared")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_rooms_of_losi_keep_their_order() -> None:
    result = lint(ROOT)

    assert result.returncode == 0, result.stdout


def test_the_order_has_no_holes(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "shared" / "losi", tmp_path / "shared" / "losi")
    for file, module, _ in FORBIDDEN:
        with (tmp_path / "shared" / "losi" / file).open("a") as source:
            source.write(f"\nimport {module}\n")

    result = lint(tmp_path)

    assert result.returncode == 1
    assert [told for _, _, told in FORBIDDEN if told not in result.stdout] == []


def test_no_room_and_no_part_of_the_meter_is_forgotten() -> None:
    """Contracts that name modules name all of them."""
    framework, meter = (
        contracts()[name]
        for name in ("only web and aws know the web framework", "who answers does not meter")
    )

    assert set(framework["source_modules"]) == modules("losi") - {"losi.web", "losi.aws"}
    shared = {"losi.metering.usage", "losi.metering.estimate"}
    assert set(meter["forbidden_modules"]) == modules("losi.metering") - shared


def test_the_page_about_the_architecture_draws_the_same_order() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    order = contracts()["rooms of losi, from the roof down"]["layers"]

    [drawn] = [block for block in page.split("```") if "\ncli | aws\n" in block]
    names = [line.partition("  ")[0] for line in drawn.strip().splitlines()]
    assert names == ["functions, local", *order]


def contracts() -> dict[str, Any]:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    return {each["name"]: each for each in tool["importlinter"]["contracts"]}


def modules(package: str) -> set[str]:
    folder = ROOT / "shared" / package.replace(".", "/")
    return {f"{package}.{each.name}" for each in iter_modules([str(folder)])}


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
