"""The version stands in losi/__init__.py alone; what else names it agrees."""

import re
import tomllib
from pathlib import Path

import losi

ROOT = Path(__file__).parents[2]


def test_the_newest_entry_of_the_changelog_is_this_version() -> None:
    entries = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert entries[0] == losi.__version__


def test_the_package_takes_it_from_there() -> None:
    project = tomllib.loads((ROOT / "shared" / "pyproject.toml").read_text())

    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "losi.__version__"}
