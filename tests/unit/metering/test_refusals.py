"""What callers are told: rate limit headers, and refusals that say what would help."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from losi.errors import QuotaExceededError, RateLimitError, StaleAuthenticationError
from losi.metering.refusals import RateLimits
from losi.metering.usage import Usage
from tests.catalogue import CATALOGUE
from tests.ledger_world import (
    ACCOUNT,
    KEY,
    BlockingLedger,
    Clock,
    admit,
    caller,
    make_plan,
    refused,
)

if TYPE_CHECKING:
    pass


@pytest.fixture
def clock() -> Clock:
    return Clock("2026-11-23T12:00:10")


class TestRateLimits:
    def test_tells_where_the_account_stands_in_this_minute(
        self, ledger: BlockingLedger, clock: Clock
    ) -> None:
        plan = make_plan(requests_per_minute=60, tokens_per_minute=40_000)

        admit(ledger, caller(plan), clock, tokens=600)
        limits = admit(ledger, caller(plan), clock, tokens=600).limits

        assert limits == RateLimits(60, 58, 40_000, 38_800, reset_seconds=50)
        assert limits.headers() == {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-remaining-requests": "58",
            "x-ratelimit-reset-requests": "50s",
            "x-ratelimit-limit-tokens": "40000",
            "x-ratelimit-remaining-tokens": "38800",
            "x-ratelimit-reset-tokens": "50s",
        }

    def test_a_whole_minute_is_written_as_openai_does(self) -> None:
        assert RateLimits(1, 1, 1, 1, 60.0).headers()["x-ratelimit-reset-tokens"] == "1m0s"


class TestRefusal:
    def test_requests_per_minute(self, ledger: BlockingLedger, clock: Clock) -> None:
        plan = make_plan(requests_per_minute=1)
        admit(ledger, caller(plan), clock)

        error = refused(ledger, clock, principal=caller(plan))

        assert isinstance(error, RateLimitError)
        assert error.message == (
            "Rate limit reached: the plan 'tiny' allows 1 requests per minute. "
            "Try again in 50s. The plan 'free' allows 10."
        )
        assert error.headers["retry-after"] == "50"
        assert error.headers["retry-after-ms"] == "50000"
        assert error.headers["x-ratelimit-remaining-requests"] == "0"
        clock.advance(error.retry_after)
        admit(ledger, caller(plan), clock)

    def test_tokens_per_minute(self, ledger: BlockingLedger, clock: Clock) -> None:
        plan = make_plan(tokens_per_minute=900)
        admit(ledger, caller(plan), clock)

        error = refused(ledger, clock, principal=caller(plan))

        assert isinstance(error, RateLimitError)
        assert "400 are left in this one, and the request needs up to 500" in error.message
        assert error.headers["retry-after"] == "50"
        admit(ledger, caller(plan), clock, tokens=400)

    def test_requests_in_flight(self, ledger: BlockingLedger, clock: Clock) -> None:
        plan = make_plan(in_flight=1)
        running = admit(ledger, caller(plan), clock).hold

        error = refused(ledger, clock, principal=caller(plan))

        assert isinstance(error, RateLimitError)
        assert error.headers["retry-after"] == "1"
        assert "at the same time: the plan 'tiny' allows 1" in error.message
        ledger.settle(running, Usage(100, 10))
        admit(ledger, caller(plan), clock)

    def test_tokens_per_day(self, ledger: BlockingLedger, clock: Clock) -> None:
        plan = make_plan(tokens_per_day=900)
        ledger.settle(admit(ledger, caller(plan), clock).hold, Usage(400, 100))

        error = refused(ledger, clock, principal=caller(plan))

        assert isinstance(error, QuotaExceededError)
        assert error.code == "quota_exceeded"
        assert error.headers["x-should-retry"] == "false"
        assert "retry-after" not in error.headers
        assert error.message == (
            "Daily quota reached: the plan 'tiny' allows 900 tokens per day (UTC), 400 are left, "
            "and the request needs up to 500. Send a shorter request, lower max_tokens, or wait. "
            "The quota resets at 00:00 UTC, in 12 h 0 min. The plan 'free' allows 100,000."
        )
        clock.set("2026-11-24T00:00:10")
        admit(ledger, caller(plan), clock)

    def test_a_quota_that_is_only_held_passes_soon(
        self, ledger: BlockingLedger, clock: Clock
    ) -> None:
        plan = make_plan(tokens_per_day=900)
        running = admit(ledger, caller(plan), clock).hold

        error = refused(ledger, clock, principal=caller(plan))

        assert isinstance(error, RateLimitError)
        assert error.headers["retry-after"] == "1"
        ledger.settle(running, Usage(100, 10))
        admit(ledger, caller(plan), clock)

    def test_the_limit_that_is_told_is_the_one_that_is_in_the_way(
        self, ledger: BlockingLedger, clock: Clock
    ) -> None:
        """The rest of the day would take the request exactly; the number of requests would not."""
        plan = make_plan(tokens_per_day=1_000, in_flight=1)
        admit(ledger, caller(plan), clock, tokens=500)

        error = refused(ledger, clock, principal=caller(plan), tokens=500)

        assert "at the same time" in error.message

    @pytest.mark.parametrize("limit", ["tokens_per_minute", "tokens_per_day"])
    def test_a_request_larger_than_a_whole_limit_is_not_to_be_retried(
        self, ledger: BlockingLedger, clock: Clock, limit: str
    ) -> None:
        principal = caller(make_plan(**{limit: 499}))

        error = refused(ledger, clock, principal=principal)

        assert isinstance(error, QuotaExceededError)
        assert error.code == "request_exceeds_limit"
        assert error.headers["x-should-retry"] == "false"
        assert "it needs up to 500 tokens" in error.message

    def test_names_the_cheapest_plan_that_would_do(
        self, ledger: BlockingLedger, clock: Clock
    ) -> None:
        def message(plan: str, tokens: int) -> str:
            principal = caller(CATALOGUE.plans[plan])
            return refused(ledger, clock, principal=principal, tokens=tokens).message

        assert message("free", 150_000).endswith("The plan 'plus' allows 200,000.")
        assert message("free", 250_000).endswith("The plan 'pro' allows 1,000,000.")
        assert message("ultra", 4_000_001).endswith("lower max_tokens or n.")

    @pytest.mark.parametrize("what", [KEY, "p"])
    def test_a_changed_key_or_profile_must_authenticate_again(
        self, ledger: BlockingLedger, clock: Clock, what: str
    ) -> None:
        admit(ledger, caller(), clock)
        ledger.mark_changed(ACCOUNT, what, 2)

        with pytest.raises(StaleAuthenticationError):
            admit(ledger, caller(), clock)

        admit(ledger, replace(caller(), key_version=2, profile_version=2), clock)

    def test_an_outdated_plan_is_read_again_rather_than_believed(
        self, ledger: BlockingLedger, clock: Clock
    ) -> None:
        outdated = caller(make_plan(tokens_per_minute=499))
        ledger.mark_changed(ACCOUNT, "p", 2)

        with pytest.raises(StaleAuthenticationError):
            admit(ledger, outdated, clock)
