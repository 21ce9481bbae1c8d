"""Subscription plans, read once from plans.toml."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Plan:
    """Limits of one plan; units stand in plans.toml."""

    name: str
    keys: int
    requests_per_minute: int
    tokens_per_minute: int
    tokens_per_day: int
    in_flight: int
    hold_output_tokens: int


@cache
def plans() -> dict[str, Plan]:
    """All plans by name, cheapest first."""
    rows = tomllib.loads(files("losi.catalogue").joinpath("plans.toml").read_text("utf-8"))
    return {name: Plan(name=name, **row) for name, row in rows.items()}
