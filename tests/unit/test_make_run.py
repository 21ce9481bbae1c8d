"""`make run` before it serves."""

from pathlib import Path

import pytest

from local import __main__ as make_run
from losi.catalogue import loader
from tests.catalogue import FOLDER


def test_it_does_not_start_with_a_mistake_in_the_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plans.toml").write_text("[free]\nkeys = 'ten'\n")
    monkeypatch.setattr(loader, "FOLDERS", (FOLDER, tmp_path))

    assert make_run.main() == 1

    told = capsys.readouterr()
    assert f"{tmp_path.name}/plans.toml: plan 'free': keys must be a whole number" in told.err
    assert told.out == ""
