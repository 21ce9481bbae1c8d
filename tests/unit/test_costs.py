"""The prices in the documentation are those that bench/cost.py computes."""

from pathlib import Path

from bench import cost
from tests.evaluated_template import EvaluatedTemplate

ROOT = Path(__file__).parents[2]


def test_the_page_has_the_table() -> None:
    page = (ROOT / "docs/performance.md").read_text()
    begin = "<!-- python -m bench.cost -->\n\n"

    assert page.split(begin)[1].split("\n<!-- end -->")[0] == cost.table()


def test_it_is_computed_for_what_the_template_makes() -> None:
    template = EvaluatedTemplate({"ManagedInstances": "on"})
    config = template.resources["ChatOnInstancesFunction"]["Properties"]["CapacityProviderConfig"]

    assert template.parameters["ChatMemory"] / 1024 == cost.CHAT_GB
    assert config["PerExecutionEnvironmentMaxConcurrency"] * 2 == cost.STREAMS_AN_INSTANCE
