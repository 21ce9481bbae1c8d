"""docs/deploy.md can be followed from its first line to its last."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from local.table import load_template

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "deploy.md"
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
#: Set by the shell, or a function's own argument.
GIVEN = {"1", "2", "PATH", "HOME"}


def test_every_variable_that_it_uses_was_set_by_a_line_before() -> None:
    known = set(GIVEN)
    for line in "\n".join(BLOCKS).splitlines():
        if ".losi/demo.env" in line:
            known |= {"OPENAI_API_KEY", "OPENAI_BASE_URL"}
        used = set(re.findall(r"\$\{?(\w+)", re.sub(r"(?<![\w])\w+=\$\(.*\)", "", line)))
        known |= set(re.findall(r"\b([A-Z_]+)=", line))
        known |= set(re.findall(r"\bread -rs (\w+)", line))
        assert used <= known, f"{line.strip()}: {used - known} is not set"


def test_no_secret_is_on_a_command_line() -> None:
    for block in BLOCKS:
        assert not re.search(r"--secret-string|\bsk-|losi-\.\.\.|KEY=[\"']?\w", block), block


def test_every_parameter_of_the_template_is_explained() -> None:
    rows = " ".join(re.findall(r"^\| ([^|]+) \|", PAGE.read_text(), re.MULTILINE))
    explained = set(re.findall(r"\w+", rows))

    missing = set(load_template()["Parameters"]) - explained
    assert not missing, f"docs/deploy.md, the table of questions, says nothing of {missing}"


def test_the_readme_counts_the_packages_that_a_first_start_installs() -> None:
    pins = {
        name
        for path in ("requirements-run.txt", "shared/requirements.txt")
        for name in re.findall(r"^([\w.-]+)(?:\[\w+\])?==", (ROOT / path).read_text(), re.MULTILINE)
    }

    # and losi and pip
    assert f"({len(pins) + 2} packages, " in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", ["README.md", "docs/deploy.md", "CONTRIBUTING.md"])
def test_every_target_of_make_is_there(page: str) -> None:
    targets = set(
        re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        + re.findall(r"^([\w-]+):", (ROOT / "sam.mk").read_text(), re.MULTILINE)
    )
    text = (ROOT / page).read_text()
    named = set(re.findall(r"`(?:[A-Z_]+=\S+ )?make ([a-z][\w-]*)", text))
    named |= set(re.findall(r"^(?:[A-Z_]+=\S+ )?make ([a-z][\w-]*)", text, re.MULTILINE))

    assert named <= targets


@pytest.mark.parametrize("page", ["README.md", "docs/deploy.md", "CONTRIBUTING.md", "docs/keys.md"])
def test_no_command_has_a_comment_behind_it(page: str) -> None:
    """zsh, the shell of macOS, takes a pasted `#` for an argument."""
    for block in re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), re.DOTALL):
        assert not re.search(r"(^|\s)# ", block), block
