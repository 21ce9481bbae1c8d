"""What remains of an account's limits now, by the same figures as a completion's headers."""

import math
from dataclasses import dataclass

from losi.catalogue.plans import Plan
from losi.identity.values import DAY_SECONDS
from losi.metering.day_item import DayItem
from losi.metering.refusals import rate_limits, seconds_left


@dataclass(frozen=True, slots=True)
class Window:
    used: int
    limit: int
    reset_seconds: int
    #: Tokens reserved for running requests.
    held: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    requests_this_minute: Window
    tokens_this_minute: Window
    tokens_today: Window
    running: int
    in_flight: int


def standing(day: DayItem, plan: Plan, now: float) -> Standing:
    """The account's current windows. Holds whose processes must be dead do not count as running."""
    limits = rate_limits(day, plan, now)
    running = [hold for hold in day.holds().values() if hold.expires >= now]
    minute = math.ceil(limits.reset_seconds)
    return Standing(
        Window(limits.limit_requests - limits.remaining_requests, plan.requests_per_minute, minute),
        Window(limits.limit_tokens - limits.remaining_tokens, plan.tokens_per_minute, minute),
        Window(
            day.settled,
            plan.tokens_per_day,
            math.ceil(seconds_left(now, DAY_SECONDS)),
            held=sum(hold.tokens for hold in running),
        ),
        len(running),
        plan.in_flight,
    )
