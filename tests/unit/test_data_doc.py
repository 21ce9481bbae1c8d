"""docs/data.md: its figures are those of the code, and no provider is forgotten."""

from __future__ import annotations

import re
from pathlib import Path

from local.table import load_template
from losi.catalogue.loader import SHIPPED, load
from losi.config import KEPT
from losi.identity.session import IDLE
from losi.management.logins import COUNTED_SECONDS
from losi.metering import register

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text()


def test_the_days_are_those_of_the_code_and_of_the_template() -> None:
    parameters = load_template()["Parameters"]
    for name, days in (
        ("UsageDays", KEPT.usage_days),
        ("AuditDays", KEPT.audit_days),
        ("SessionDays", KEPT.session_days),
        ("LogRetentionDays", 30),
    ):
        [row, *_] = [line for line in PAGE.splitlines() if f"`{name}`" in line]
        assert parameters[name]["Default"] == days
        assert f"{days} days" in row
    for row in (
        f"register) | {register.KEPT_DAYS} days",
        f"{IDLE.total_seconds() // 3600:.0f} hours without use",
        f"sign-ups of a day | table | {COUNTED_SECONDS // 86_400} days",
    ):
        assert row in PAGE


def test_every_parameter_it_names_is_one() -> None:
    named = set(re.findall(r"`([A-Z][A-Za-z]+)(?:=\w+)?`", PAGE))

    assert named <= set(load_template()["Parameters"])


def test_every_provider_has_its_row_and_its_source() -> None:
    rows = dict(re.findall(r"^\| ([^|]+) \| [^|]+ \| ([^|]*) \|$", PAGE, re.M))
    sources = {name: source for names, source in rows.items() for name in names.split(", ")}

    for provider in load(SHIPPED).providers.values():
        if provider.format == "sandbox":  # of our own, and it keeps nothing
            continue
        assert "https://" in sources[provider.name], provider.name
