"""Every code that an error can have is documented, and is made to happen by a test."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
IN_CODE = re.compile(r'\bcode(?:: [^=\n]+)? ?= ?"([a-z_]+)"(?: if [^"\n]+ else "([a-z_]+)")?')
IN_TEMPLATE = re.compile(r'"code": "([a-z_]+)"')
#: A row of an error table: | 400 | `type` | `code`, `code`: words | words |
ROW = re.compile(r"^\| [45]\d\d[^|]*\| `[a-z_]+` \| ([^|]+)", re.MULTILINE)
#: Given by API Gateway, whose answers only a deployment can make.
OF_THE_GATEWAY = set(IN_TEMPLATE.findall((ROOT / "template.yaml").read_text()))


def codes() -> set[str]:
    found = set(OF_THE_GATEWAY)
    for file in (ROOT / "shared" / "losi").rglob("*.py"):
        found |= {code for pair in IN_CODE.findall(file.read_text()) for code in pair if code}
    return found


def documented() -> set[str]:
    pages = "".join((ROOT / "docs" / page).read_text() for page in ("api.md", "keys.md"))
    return {code for row in ROW.findall(pages) for code in re.findall(r"`([a-z_]+)`", row)}


def test_every_code_is_documented() -> None:
    undocumented = {code for code in codes() - documented() if not code.startswith("upstream_")}

    assert {"invalid_json", "key_limit_reached", "unknown_url", "internal_error"} <= codes()
    assert undocumented == set()


def test_the_docs_say_of_each_what_to_do() -> None:
    """All but the console's own, which its pages meet and answer."""
    page = (ROOT / "docs" / "guides" / "errors.md").read_text()
    of_the_console = (ROOT / "docs" / "api.md").read_text().partition("The console uses the API")[2]
    its_own = {code for row in ROW.findall(of_the_console) for code in re.findall(r"`(\w+)`", row)}

    assert {code for code in documented() - its_own if f"`{code}`" not in page} == set()


def test_every_documented_code_can_happen() -> None:
    assert documented() - codes() == set()


def test_every_code_is_made_to_happen_by_a_test() -> None:
    files = [file for file in (ROOT / "tests").glob("*/**/test_*.py") if file != Path(__file__)]
    tests = "".join(file.read_text() for file in files if "node_modules" not in file.parts)

    assert {code for code in codes() - OF_THE_GATEWAY if f'"{code}"' not in tests} == set()
