"""No shipped route leads to a model that its vendor has shut down, or to nothing from then on."""

import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from losi.catalogue.loader import SHIPPED, load
from losi.catalogue.models import Model, Route

RETIREMENTS = Path(__file__).parents[2] / "data" / "retirements.toml"


class Retirement(NamedTuple):
    day: date
    successor: str


def retirements() -> dict[tuple[str, str], Retirement]:
    """By the format that a vendor speaks here, and its name for the model."""
    vendors = tomllib.loads(RETIREMENTS.read_text())
    return {
        (vendor, model): Retirement(row["shutdown_date"], row["successor"])
        for vendor, table in vendors.items()
        for model, row in table["models"].items()
    }


def vendor_of(route: Route) -> str:
    return route.provider.id.removesuffix("-responses")


def routes() -> Iterator[tuple[Model, Route]]:
    for model in load(SHIPPED).models.values():
        for route in model.routes:
            yield model, route


ROUTES = list(routes())
NAMES = [f"{model.id} at {route.provider.id}/{route.model}" for model, route in ROUTES]


@pytest.mark.parametrize(("_", "route"), ROUTES, ids=NAMES)
def test_it_knows_the_day_that_its_vendor_tells(_: Model, route: Route) -> None:
    retirement = retirements().get((vendor_of(route), route.model))

    assert route.shutdown_date == (retirement and retirement.day)


@pytest.mark.parametrize(("model", "route"), ROUTES, ids=NAMES)
def test_it_is_not_past_that_day(model: Model, route: Route) -> None:
    today = datetime.now(UTC).date()

    assert route.shutdown_date is None or today < route.shutdown_date, (
        f"take {route.model} out of {model.id}, or name its successor"
    )


@pytest.mark.parametrize(("model", "route"), ROUTES, ids=NAMES)
def test_another_route_of_the_model_outlives_it(model: Model, route: Route) -> None:
    if route.shutdown_date is None:
        return
    others = [
        other
        for other in model.routes
        if other.shutdown_date is None or other.shutdown_date > route.shutdown_date
    ]
    successor = retirements()[vendor_of(route), route.model].successor

    assert successor in [other.model for other in others]
