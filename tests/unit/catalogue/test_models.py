"""The catalogue as a price list and as a promise of patience with its upstreams."""

from importlib.resources import files

import pytest
from pydantic import ValidationError

from losi.catalogue.models import Prices, catalog, parse_catalog
from losi.catalogue.plans import plans
from losi.errors import ModelNotFoundError
from losi.metering.cost import cost
from losi.metering.usage import Usage

#: As an operator would add one (docs/models.md), with nothing that may be left out.
MODEL = """
[[models]]
id = "m"
code = "m"
description = "A model"
owned_by = "test"
created = 1
features = []
plans = ["free"]
context_window = 1000
max_output_tokens = 100
prices = { input = 1.0, output = 2.0 }
routes = [{ provider = "sandbox", model = "losi-sandbox" }]
"""


def test_cached_tokens_and_cache_writes_have_prices_of_their_own() -> None:
    prices = Prices(input=3, output=15, cached_input=0.3, cache_write=3.75)
    usage = Usage(1_000_000, 100_000, cached_tokens=600_000, cache_write_tokens=200_000)

    assert cost(prices, usage) == pytest.approx(0.2 * 3 + 0.6 * 0.3 + 0.2 * 3.75 + 0.1 * 15)


def test_without_them_the_whole_prompt_costs_the_same() -> None:
    usage = Usage(1_000_000, 0, cached_tokens=600_000, cache_write_tokens=200_000)

    assert cost(Prices(input=3, output=15), usage) == pytest.approx(3)


@pytest.mark.parametrize("prices", ["", "prices = { input = 1.0 }", "prices = { output = -1.0 }"])
def test_a_model_without_its_prices_is_not_offered(prices: str) -> None:
    assert next(iter(parse_catalog(MODEL))).prices.input == 1

    with pytest.raises(ValidationError, match="prices"):
        parse_catalog(MODEL.replace("prices = { input = 1.0, output = 2.0 }", prices))


def test_upstreams_that_are_silent_for_minutes_are_waited_for() -> None:
    for model in catalog():
        for route in model.routes:
            # ten milliseconds a token: what Claude took for a tool argument without a word
            assert route.chunk_timeout >= model.max_output_tokens * 0.010
            assert route.first_chunk_timeout >= (300 if "reasoning" in model.features else 120)


def test_a_retired_model_is_gone_for_callers_and_kept_for_the_usage_of_the_past() -> None:
    shipped = files("losi.catalogue").joinpath("models.toml").read_text("utf-8")
    everywhere = 'plans = ["free", "plus", "pro", "ultra"]'
    retired = parse_catalog(shipped.replace(everywhere, "plans = []"))

    with pytest.raises(ModelNotFoundError):
        retired.find("gpt-4o-mini", plans()["ultra"])
    kept = retired.by_code("4om")
    assert kept is not None and kept.prices.output > 0
