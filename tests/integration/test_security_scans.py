"""What `make security` finds, and that it would."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.security import ROOT, SCANNERS, secrets_in
from tests.obtain import skip_or_fail


@pytest.fixture(autouse=True)
def scanners() -> None:
    if not (ROOT / SCANNERS / "detect-secrets").exists():
        skip_or_fail("The scanners are missing: run `make security`")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("key = 'AKIA" + "IOSFODNN7EXAMPLQ'", "AWS Access Key"),
        ("-----BEGIN RSA PRIV" + "ATE KEY-----", "Private Key"),
        ("token = 'ghp_" + "a1B2" * 9 + "'", "GitHub Token"),
        ("key = 'sk-" + "Ab1" * 6 + "ABT3BlbkFJ" + "Cd2" * 6 + "CD'", "OpenAI Token"),
    ],
)
def test_a_secret_is_found(tmp_path: Path, text: str, kind: str) -> None:
    (tmp_path / "config.py").write_text(f"# a file\n{text}\n")

    assert secrets_in(["config.py"], tmp_path) == [f"config.py:2: {kind}"]


def test_a_file_without_one_is_clean(tmp_path: Path) -> None:
    (tmp_path / "config.py").write_text("key = 'losi-your-api-key'\n")

    assert secrets_in(["config.py"], tmp_path) == []
