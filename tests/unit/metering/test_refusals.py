"""What callers are told: rate limit headers, and refusals that say what would help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from losi.catalogue.plans import Plan
from losi.errors import (
    LosiError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    StaleAuthenticationError,
    StoreUnavailableError,
)
from losi.metering.day_item import DayItem, Hold
from losi.metering.refusals import RateLimits, refusal
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


#: 20 seconds before the end of a minute, and 11 hours before that of the day.
NOW = Clock("2026-11-23T12:59:40").now
DAY, MINUTE = date(2026, 11, 23), 12 * 60 + 59


def refuses(
    counters: dict[str, int],
    *,
    tokens: int = 100,
    held: int = 0,
    plans: Sequence[Plan] = (),
    limits: Mapping[str, int],
) -> LosiError:
    """The refusal of a request of so many tokens, on a day with these counters and one hold."""
    hold = Hold(ACCOUNT, DAY, False, "one", tokens, 1, 0, KEY, "4om")
    running = replace(hold, tokens=held, request_id="running")
    item = {name: {"N": str(n)} for name, n in counters.items()}
    holds: Any = {"holds": {"M": {"running": running.to_attribute()}}}
    day = DayItem(ACCOUNT, DAY, test=False, item={**item, **holds})
    error = refusal(day, hold, caller(make_plan(**limits)), NOW, plans)
    assert isinstance(error, LosiError)
    return error


class TestWhatIsInTheWay:
    """At each limit: with room for exactly this request, and for one token less."""

    @pytest.mark.parametrize(
        ("counters", "held", "limits", "said"),
        [
            ({"committed": 901}, 0, {"tokens_per_day": 1_000}, "99 are left"),
            ({"committed": 900}, 0, {"tokens_per_day": 1_000}, "at the same time"),
            ({"committed": 951}, 50, {"tokens_per_day": 1_000}, "99 are left"),
            ({"committed": 950}, 50, {"tokens_per_day": 1_000}, "is held for requests"),
            ({"committed": 901}, 1, {"tokens_per_day": 1_000}, "is held for requests"),
            ({"committed": 900}, 1, {"tokens_per_day": 1_000}, "at the same time"),
            ({f"r{MINUTE}": 5}, 0, {"requests_per_minute": 5}, "5 requests per minute"),
            ({f"r{MINUTE}": 4}, 0, {"requests_per_minute": 5}, "at the same time"),
            ({f"t{MINUTE}": 101}, 0, {"tokens_per_minute": 200}, "99 are left in this one"),
            ({f"t{MINUTE}": 100}, 0, {"tokens_per_minute": 200}, "at the same time"),
            ({}, 0, {"tokens_per_minute": 99}, "allows 99 per minute"),
            ({}, 0, {"tokens_per_minute": 100}, "at the same time"),
            ({}, 0, {"tokens_per_day": 99}, "allows 99 per day"),
            ({}, 0, {"tokens_per_day": 100}, "at the same time"),
        ],
    )
    def test_is_what_the_message_names(
        self, counters: dict[str, int], held: int, limits: dict[str, int], said: str
    ) -> None:
        assert said in refuses(counters, held=held, limits=limits).message

    @pytest.mark.parametrize(
        ("settled", "said"),
        [
            (999, "1 are left, and the request needs up to 100. Send a shorter request, lower "),
            (1_000, "0 are left, and the request needs up to 100. The quota resets at"),
            (1_500, "0 are left, and the request needs up to 100. The quota resets at"),
        ],
    )
    def test_a_smaller_request_is_proposed_where_one_would_do(
        self, settled: int, said: str
    ) -> None:
        error = refuses({"committed": settled}, limits={"tokens_per_day": 1_000})

        assert said in error.message
        assert error.message.endswith("The quota resets at 00:00 UTC, in 11 h 1 min.")

    @pytest.mark.parametrize(
        ("counters", "limits", "seconds"),
        [
            ({f"r{MINUTE}": 5}, {"requests_per_minute": 5}, "20"),
            ({f"t{MINUTE}": 150}, {"tokens_per_minute": 200}, "20"),
            ({"committed": 950}, {"tokens_per_day": 1_000}, "1"),
            ({}, {"in_flight": 1}, "1"),
        ],
    )
    def test_when_to_try_again(
        self, counters: dict[str, int], limits: dict[str, int], seconds: str
    ) -> None:
        error = refuses(counters, held=900, limits=limits)

        assert error.headers["retry-after"] == seconds
        assert error.headers["x-ratelimit-reset-tokens"] == "20s"

    @pytest.mark.parametrize(
        ("limit", "counters", "tokens"),
        [
            ("requests_per_minute", {f"r{MINUTE}": 500}, 100),
            ("tokens_per_minute", {f"t{MINUTE}": 450}, 100),
            ("tokens_per_day", {"committed": 450}, 100),
            ("in_flight", {}, 100),
        ],
    )
    @pytest.mark.parametrize(
        ("others", "advice"),
        [
            ([500], ""),
            ([499, 501], " The plan 'of501' allows 501."),
            ([1_500, 502], " The plan 'of502' allows 502."),
            ([1_500], " The plan 'of1500' allows 1,500."),
        ],
    )
    def test_a_plan_that_allows_more_is_proposed_the_smallest_of_them(
        self, limit: str, counters: dict[str, int], tokens: int, others: list[int], advice: str
    ) -> None:
        plans = [make_plan(name=f"of{n}", **{limit: n}) for n in others]

        message = refuses(counters, tokens=tokens, plans=plans, limits={limit: 500}).message

        assert message.endswith(advice)
        assert ("The plan 'of" in message) == bool(advice)

    def test_of_a_request_that_is_too_large_the_plan_must_allow_that_much(self) -> None:
        plans = [make_plan(name=f"of{n}", tokens_per_day=n) for n in (599, 600, 700)]

        error = refuses({}, tokens=600, plans=plans, limits={"tokens_per_day": 500})

        assert error.message.endswith(" The plan 'of600' allows 600.")
        assert error.code == "request_exceeds_limit"

    def test_a_request_id_that_is_in_use_is_nobody_s_limit(self) -> None:
        hold = Hold(ACCOUNT, DAY, False, "one", 1, 1, 0, KEY, "4om")
        with_hold = {"holds": {"M": {"one": hold.to_attribute()}}}
        buried = {"holds": {"M": {}}, "z_one": {"N": "1"}}

        for item in (with_hold, buried):
            error = refusal(DayItem(ACCOUNT, DAY, test=False, item=item), hold, caller(), NOW, ())
            assert isinstance(error, ServerError) and "request id" in error.message

    def test_a_day_that_is_gone_is_an_account_that_is_being_deleted(self) -> None:
        hold = Hold(ACCOUNT, DAY, False, "one", 1, 1, 0, KEY, "4om")

        error = refusal(DayItem(ACCOUNT, DAY, test=False), hold, caller(), NOW, ())

        assert isinstance(error, StoreUnavailableError)


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
