"""A plan's limits as a caller sees them: rate limit headers, and the ledger's refusals."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

from losi.catalogue.plans import Plan, larger_plan
from losi.errors import (
    LosiError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    StoreUnavailableError,
)
from losi.identity.principal import Principal
from losi.identity.values import DAY_SECONDS, MINUTE_SECONDS
from losi.metering.day_item import (
    PROFILE_RECORD,
    DayItem,
    Hold,
    minute_of_day,
    requests_window,
    tokens_window,
    tombstone,
    valid_version,
)

#: Returns a sentence that recommends a plan with a higher limit (of at least the number given), or
#: "".
Recommend = Callable[..., str]

#: `Retry-After` (seconds) of a refusal that ends as soon as another request does.
BUSY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Limits and remaining room of the current minute; both windows end at the same time."""

    limit_requests: int
    remaining_requests: int
    limit_tokens: int
    remaining_tokens: int
    reset_seconds: float

    def headers(self) -> dict[str, str]:
        """OpenAI's `x-ratelimit-*` headers; resets are durations such as `8s` and `1m0s`."""
        reset = _duration(self.reset_seconds)
        return {
            "x-ratelimit-limit-requests": str(self.limit_requests),
            "x-ratelimit-remaining-requests": str(self.remaining_requests),
            "x-ratelimit-reset-requests": reset,
            "x-ratelimit-limit-tokens": str(self.limit_tokens),
            "x-ratelimit-remaining-tokens": str(self.remaining_tokens),
            "x-ratelimit-reset-tokens": reset,
        }


def rate_limits(item: DayItem, plan: Plan, now: float) -> RateLimits:
    minute = minute_of_day(item.day, now)
    requests = item.number(requests_window(minute))
    tokens = item.number(tokens_window(minute))
    return RateLimits(
        limit_requests=plan.requests_per_minute,
        remaining_requests=max(0, plan.requests_per_minute - requests),
        limit_tokens=plan.tokens_per_minute,
        remaining_tokens=min(plan.tokens_per_minute, max(0, plan.tokens_per_minute - tokens)),
        reset_seconds=seconds_left(now, MINUTE_SECONDS),
    )


def refusal(
    item: DayItem, hold: Hold, principal: Principal, now: float, plans: Collection[Plan]
) -> Exception:
    """The error to raise: why the day item, as it was when it refused, had no room for the hold."""
    if not item.is_open:  # removed while it was opened, as when its account is deleted
        return StoreUnavailableError()
    if hold.request_id in item.holds() or tombstone(hold.request_id) in item.tombstones():
        return ServerError("Another request with this request id is running. Send it again.")
    recommend = partial(_larger_plan, plans, principal.plan)
    error = _oversized(hold, principal.plan, recommend) or _limit_reached(
        item, hold, principal.plan, now, recommend
    )
    error.headers.update(rate_limits(item, principal.plan, now).headers())
    return error


def is_stale(item: DayItem, principal: Principal) -> bool:
    """Whether the key or profile changed since the principal was read."""
    return (
        item.number(valid_version(principal.key_id)) > principal.key_version
        or item.number(valid_version(PROFILE_RECORD)) > principal.profile_version
    )


def _oversized(hold: Hold, plan: Plan, recommend: Recommend) -> LosiError | None:
    """The error for a request that exceeds a limit by itself, so that waiting does not help.

    It is `insufficient_quota` even if the limit is a rate: SDKs retry `rate_limit_error`, and only
    another plan or a smaller request helps here.
    """
    for limit, unit in (("tokens_per_minute", "minute"), ("tokens_per_day", "day")):
        allowed = getattr(plan, limit)
        if hold.tokens > allowed:
            return QuotaExceededError(
                f"Request too large: it needs up to {hold.tokens:,} tokens (input and answer), and "
                f"the plan '{plan.name}' allows {allowed:,} per {unit}. Shorten the messages, or "
                f"lower max_tokens or n.{recommend(limit, hold.tokens)}",
                code="request_exceeds_limit",
            )
    return None


def _limit_reached(
    item: DayItem, hold: Hold, plan: Plan, now: float, recommend: Recommend
) -> LosiError:
    limits = rate_limits(item, plan, now)
    if item.settled + hold.tokens > plan.tokens_per_day:
        return _quota_exceeded(item, hold, plan, now, recommend)
    if not limits.remaining_requests:
        return RateLimitError(
            f"Rate limit reached: the plan '{plan.name}' allows {plan.requests_per_minute:,} "
            f"requests per minute. {_try_again(limits.reset_seconds)}"
            f"{recommend('requests_per_minute')}",
            retry_after=limits.reset_seconds,
        )
    tokens = item.number(tokens_window(minute_of_day(item.day, now)))
    if tokens + hold.tokens > plan.tokens_per_minute:
        return RateLimitError(
            f"Rate limit reached: the plan '{plan.name}' allows {plan.tokens_per_minute:,} tokens "
            f"per minute, {limits.remaining_tokens:,} are left in this one, and the request needs "
            f"up to {hold.tokens:,}. {_try_again(limits.reset_seconds)}"
            f"{recommend('tokens_per_minute')}",
            retry_after=limits.reset_seconds,
        )
    if item.committed + hold.tokens > plan.tokens_per_day:
        return RateLimitError(
            f"The rest of today's quota of {plan.tokens_per_day:,} tokens is held for requests "
            f"that are still running; what they leave is free when they end. "
            f"{_try_again(BUSY_SECONDS)}{recommend('tokens_per_day')}",
            retry_after=BUSY_SECONDS,
        )
    return RateLimitError(
        f"Too many requests at the same time: the plan '{plan.name}' allows {plan.in_flight:,}. "
        f"Try again when one of them has ended.{recommend('in_flight')}",
        retry_after=BUSY_SECONDS,
    )


def _quota_exceeded(
    item: DayItem, hold: Hold, plan: Plan, now: float, recommend: Recommend
) -> QuotaExceededError:
    left = max(0, plan.tokens_per_day - item.settled)
    minutes = int(-(-seconds_left(now, DAY_SECONDS) // MINUTE_SECONDS))
    smaller = " Send a shorter request, lower max_tokens, or wait." if left else ""
    return QuotaExceededError(
        f"Daily quota reached: the plan '{plan.name}' allows {plan.tokens_per_day:,} tokens per "
        f"day (UTC), {left:,} are left, and the request needs up to {hold.tokens:,}.{smaller} The "
        f"quota resets at 00:00 UTC, in {minutes // 60} h {minutes % 60} min."
        f"{recommend('tokens_per_day')}"
    )


def _larger_plan(plans: Collection[Plan], plan: Plan, limit: str, needed: int = 0) -> str:
    other = larger_plan(plans, limit, max(needed, getattr(plan, limit) + 1))
    return f" The plan '{other.name}' allows {getattr(other, limit):,}." if other else ""


def _try_again(seconds: float) -> str:
    return f"Try again in {_duration(seconds)}."


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(-(-seconds // 1)), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def seconds_left(now: float, period: int) -> float:
    """Seconds until the current UTC minute or day ends: each begins at a multiple of its length in
    epoch time.
    """
    return period - now % period
