"""A reference model of one day in the ledger: what its item should say."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace

from losi.errors import QuotaExceededError, RateLimitError, StaleAuthenticationError
from losi.identity.principal import Principal
from losi.metering.day_item import Hold, minute_of_day
from losi.metering.usage import Usage
from tests.ledger_world import make_plan

# small limits and few, round figures: so that each limit is met often, and to the very token
PLAN = make_plan(requests_per_minute=4, tokens_per_minute=1_200, tokens_per_day=2_000, in_flight=2)


@dataclass
class ModelDay:
    """What the day item should say. Windows are never swept here: sweeping must not show."""

    is_open: bool = False
    holds: dict[str, Hold] = field(default_factory=dict)
    requests: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    tokens: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    counted: dict[tuple[str, str], list[Usage]] = field(default_factory=lambda: defaultdict(list))
    last_uses: dict[str, int] = field(default_factory=dict)
    valid: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    #: Requests that were billed their estimate because their hold expired.
    expired: set[str] = field(default_factory=set)

    @property
    def total(self) -> Usage:
        return sum((usage for usages in self.counted.values() for usage in usages), Usage(0, 0))

    @property
    def settled(self) -> int:
        return self.total.total_tokens

    @property
    def committed(self) -> int:
        return self.settled + sum(hold.tokens for hold in self.holds.values())

    def used(self, now: float) -> dict[tuple[str, str], list[Usage]]:
        """What was counted and what is billed for holds that expired, by key and model."""
        rows = {pair: list(usages) for pair, usages in self.counted.items() if usages}
        for hold in self.expired_holds(now):
            rows.setdefault((hold.key_id, hold.model_code), []).append(Usage(hold.input_tokens, 0))
        return rows

    def take(self, hold: Hold, now: float) -> None:
        minute = minute_of_day(hold.day, now)
        self.holds[hold.request_id] = hold
        self.requests[minute] += 1
        self.tokens[minute] += hold.tokens
        self.last_uses[hold.key_id] = int(now) // 60

    def close(self, hold: Hold, usage: Usage | None, now: float) -> bool:
        if self.holds.pop(hold.request_id, None) is None:
            return self.correct(hold, usage)
        if usage is not None:
            self.counted[hold.key_id, hold.model_code].append(usage)
        if hold.minute is not None and hold.minute == minute_of_day(hold.day, now):
            self.tokens[hold.minute] += (usage.total_tokens if usage else 0) - hold.tokens
        return True

    def correct(self, hold: Hold, usage: Usage | None) -> bool:
        """The truth came late: it takes the place of the estimate."""
        if hold.request_id not in self.expired:
            return False
        self.expired.remove(hold.request_id)
        counted = self.counted[hold.key_id, hold.model_code]
        counted.remove(Usage(hold.input_tokens, 0))
        if usage is not None:
            counted.append(usage)
        return True

    def expired_holds(self, now: float) -> list[Hold]:
        return [hold for hold in self.holds.values() if hold.expires < now]

    def settle_expired(self, now: float) -> None:
        for hold in self.expired_holds(now):
            self.close(replace(hold, minute=None), Usage(hold.input_tokens, 0), now)
            self.expired.add(hold.request_id)

    def is_stale(self, principal: Principal) -> bool:
        stale = self.valid[principal.key_id] > principal.key_version
        return stale or self.valid["p"] > principal.profile_version

    def refusal(self, principal: Principal, tokens: int, minute: int) -> tuple[type, str] | None:
        if self.is_stale(principal):
            return StaleAuthenticationError, ""
        if tokens > min(PLAN.tokens_per_minute, PLAN.tokens_per_day):
            return QuotaExceededError, "request_exceeds_limit"
        if self.settled + tokens > PLAN.tokens_per_day:
            return QuotaExceededError, "quota_exceeded"
        if (
            self.requests[minute] >= PLAN.requests_per_minute
            or self.tokens[minute] + tokens > PLAN.tokens_per_minute
            or self.committed + tokens > PLAN.tokens_per_day
            or len(self.holds) >= PLAN.in_flight
        ):
            return RateLimitError, "rate_limit_exceeded"
        return None
