"""The questions of docs/queries, in the template word by word, about fields that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from local.table import load_template
from losi.observe.request import FIELDS, Attempt

FILES = sorted((Path(__file__).parents[3] / "docs" / "queries").glob("*.txt"))
RESOURCES: dict[str, Any] = load_template()["Resources"]
DEFINITIONS = {
    each["Properties"]["Name"]["Fn::Sub"].rpartition("/")[2]: each["Properties"]
    for each in RESOURCES.values()
    if each["Type"] == "AWS::Logs::QueryDefinition"
}
#: What CloudWatch Logs Insights knows by itself:
#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
SYNTAX = {
    *("fields", "filter", "stats", "sort", "limit", "by", "as", "and", "or", "like", "ispresent"),
    *("count", "count_distinct", "sum", "pct", "bin", "desc", "asc", "m"),
}


def test_a_stack_has_each_file_as_a_query() -> None:
    assert {path.stem: path.read_text() for path in FILES} == {
        name: properties["QueryString"] for name, properties in DEFINITIONS.items()
    }


def test_they_search_the_logs_of_all_functions() -> None:
    groups = [
        {"Ref": name}
        for name, each in RESOURCES.items()
        if each["Type"] == "AWS::Logs::LogGroup" and "Condition" not in each
    ]

    for properties in DEFINITIONS.values():
        assert properties["LogGroupNames"] == groups


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_they_ask_for_fields_that_lines_have(path: Path) -> None:
    text = re.sub(r"#.*|\"[^\"]*\"|@\w+", "", path.read_text())
    made = set(re.findall(r"\bas (\w+)", text))
    asked = set(re.findall(r"\b[a-z_]+(?:\.\d+\.[a-z_]+)?\b", text)) - SYNTAX - made
    attempts = {f"attempts.{n}.{name}" for n in (0, 1) for name in Attempt.__slots__}

    assert asked <= {*FIELDS, *attempts}
