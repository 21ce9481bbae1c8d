"""docs/api.md and docs/keys.md name every code that an error can have."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
IN_CODE = re.compile(r'\bcode(?:: [^=\n]+)? ?= ?"([a-z_]+)"')
IN_TEMPLATE = re.compile(r'"code": "([a-z_]+)"')


def codes() -> set[str]:
    found = set(IN_TEMPLATE.findall((ROOT / "template.yaml").read_text()))
    for file in (ROOT / "shared" / "losi").rglob("*.py"):
        found |= set(IN_CODE.findall(file.read_text()))
    return found


def test_every_code_is_documented() -> None:
    pages = "".join((ROOT / "docs" / page).read_text() for page in ("api.md", "keys.md"))
    documented = set(re.findall(r"`([a-z_]+)`", pages))

    undocumented = {code for code in codes() - documented if not code.startswith("upstream_")}

    assert {"invalid_json", "key_limit_reached", "unknown_url", "internal_error"} <= codes()
    assert undocumented == set()
