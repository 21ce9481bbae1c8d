"""Subscription plans: tables of plans.toml, which explains the fields."""

from collections.abc import Iterable

from losi.catalogue.row import Count, Name, Row


class Plan(Row):
    """Limits of one plan."""

    name: Name
    keys: Count
    requests_per_minute: Count
    tokens_per_minute: Count
    tokens_per_day: Count
    in_flight: Count
    hold_output_tokens: Count


def larger_plan(plans: Iterable[Plan], limit: str, needed: int) -> Plan | None:
    """The plan with the lowest `limit` of at least `needed`."""
    enough = [plan for plan in plans if getattr(plan, limit) >= needed]
    return min(enough, key=lambda plan: getattr(plan, limit), default=None)
