"""`make deploy`: the operator's answers are asked for once, and kept out of Git."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from local import sam
from local.sam import ROOT, SHIPPED_SETTINGS, SamFailedError, deploy

Calls = Callable[[], list[str]]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Stands in for the SAM CLI: `--guided` adds an answer, as SAM does; `broken` fails."""
    log, own = tmp_path / "calls", tmp_path / "own.toml"
    double = tmp_path / "sam"
    double.write_text(
        f"""#!/bin/sh
echo "$@" >> {log}
case "$*" in
  *broken*) exit 1;;
  *--guided) sed -i '/^.default.deploy.parameters.$/a parameter_overrides = "Stage=x"' {own};;
esac
"""
    )
    double.chmod(0o755)
    monkeypatch.setattr(sam, "executable", lambda: str(double))
    monkeypatch.setattr(sam, "ensure_site", lambda: None)
    monkeypatch.setattr(sam, "python313_environment", dict)
    return lambda: log.read_text().splitlines() if log.exists() else []


def test_it_asks_until_there_is_an_answer(tmp_path: Path, calls: Calls) -> None:
    own = tmp_path / "own.toml"
    for _ in range(2):
        deploy("default", own)

    where = f"--config-file {own} --config-env default"
    assert calls() == [
        f"build {where}",
        f"deploy {where} --guided",
        f"build {where}",
        f"deploy {where}",
    ]


def test_a_set_of_settings_is_taken_as_it_is(tmp_path: Path, calls: Calls) -> None:
    deploy("prod", tmp_path / "own.toml")

    assert [call.rpartition("--config-env ")[2] for call in calls()] == ["prod", "prod"]


def test_what_was_not_built_is_not_deployed(tmp_path: Path, calls: Calls) -> None:
    with pytest.raises(SamFailedError, match="sam build failed"):
        deploy("broken", tmp_path / "own.toml")

    assert len(calls()) == 1


def test_the_shipped_settings_stay_as_they_are_and_git_ignores_the_own_ones() -> None:
    assert "/samconfig.local.toml" in (ROOT / ".gitignore").read_text().splitlines()
    settings = tomllib.loads(SHIPPED_SETTINGS.read_text())
    assert set(settings) == {"version", "default", "dev", "prod"}
    assert "parameter_overrides" not in settings["default"]["deploy"]["parameters"]
    for name in ("default", "dev", "prod"):
        assert settings[name]["deploy"]["parameters"]["tags"] == "application=losi"
