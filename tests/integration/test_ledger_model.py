"""The ledger against a reference model: any order of requests, ends, crashes, retries and changes,
by processes whose clocks differ, over midnights. On DynamoDB Local.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from losi.identity.principal import Principal
from losi.metering.day_item import (
    DayItem,
    Hold,
    minute_of_day,
    requests_window,
    tokens_window,
    utc_day,
    valid_version,
)
from losi.metering.usage import MAX_TOKENS, Usage
from tests.integration.ledger_model import PLAN, ModelDay
from tests.ledger_invariants import check_day_item
from tests.ledger_world import BlockingLedger, Clock, caller

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from losi.store.dynamodb import DynamoDB

KEYS = ("Key00001", "Key00002")
MODELS = ("4o", "4om")
FIGURES = st.sampled_from([0, 100, 100, 300, 300, 700, 1_200])
ABSURD_FIGURES = (-7, 10**12, -1, 10**12, 10**12)
#: Every rule is run by a process whose clock is off by one of these.
SKEWS = st.sampled_from([-25.0, 0.0, 25.0])

Request = tuple[str, str, int, int, int]  # key, model, estimated input, held output, lifetime
REQUESTS: st.SearchStrategy[list[Request]] = st.lists(
    st.tuples(
        st.sampled_from(KEYS),
        st.sampled_from(MODELS),
        st.sampled_from([100, 200]),
        st.sampled_from([0, 100, 400, 800, 1_900]),
        st.sampled_from([30, 900]),
    ),
    min_size=1,
    max_size=4,
)

_accounts = itertools.count()


@dataclass(frozen=True)
class Running:
    """An admission that was made, with all that is needed to make it again."""

    at: float
    principal: Principal
    model: str
    input_tokens: int
    tokens: int
    expires_at: float
    hold: Hold


class LedgerMachine(RuleBasedStateMachine):
    client: ClassVar[DynamoDBClient]
    dynamodb: ClassVar[DynamoDB]
    table: ClassVar[str]

    running = Bundle("running")

    def __init__(self) -> None:
        super().__init__()
        self.account = f"Account{next(_accounts):03}"
        self.clock = Clock()
        self.days: dict[date, ModelDay] = defaultdict(ModelDay)
        self.request_numbers = itertools.count()
        self.versions = {what: 1 for what in (*KEYS, "p")}
        self.cached: dict[str, Principal] = {}
        self.authenticate()

    def ledger(self, skew: float) -> BlockingLedger:
        return self.at(lambda: self.clock.now + skew)

    def at(self, clock: Callable[[], float]) -> BlockingLedger:
        return BlockingLedger(self.client, self.table, clock, dynamodb=self.dynamodb)

    @rule(target=running, skew=SKEWS, requests=REQUESTS)
    def admit(self, skew: float, requests: list[Request]) -> Any:
        attempts = [self.attempt(skew, *request) for request in requests]
        return multiple(*(running for running in attempts if running))

    @rule(skew=SKEWS, requests=REQUESTS)
    def admit_and_settle(self, skew: float, requests: list[Request]) -> None:
        for request in requests:
            if running := self.attempt(skew, *request):
                self.settle(running, skew, (100, 0, 0, 0, 0))

    def attempt(
        self, skew: float, key_id: str, model: str, input_tokens: int, output: int, lifetime: int
    ) -> Running | None:
        now, tokens = self.clock.now + skew, input_tokens + output
        request_id, expires_at = f"request{next(self.request_numbers):04}", now + lifetime
        principal = self.cached[key_id]
        refusal = self.expect_admission(principal, tokens, now)
        admit = partial(
            self.ledger(skew).admit,
            principal,
            model,
            request_id,
            input_tokens=input_tokens,
            hold_tokens=tokens,
            expires_at=expires_at,
        )
        if refusal is not None:
            kind, code = refusal
            with pytest.raises(kind) as refused:
                admit()
            assert getattr(refused.value, "code", "") == code
            return None
        hold = admit().hold
        self.days[hold.day].take(hold, now)
        return Running(now, principal, model, input_tokens, tokens, expires_at, hold)

    def expect_admission(
        self, principal: Principal, tokens: int, now: float
    ) -> tuple[type, str] | None:
        day, minute = self.days[utc_day(now)], minute_of_day(utc_day(now), now)
        if not day.is_open and not day.is_stale(principal):
            for earlier in self.latest(utc_day(now) - timedelta(days=1)):
                earlier.settle_expired(now)
                for key_id, minute in earlier.last_uses.items():
                    day.last_uses[key_id] = max(minute, day.last_uses.get(key_id, 0))
            day.is_open = True
        if day.refusal(principal, tokens, minute) and not day.is_stale(principal):
            day.settle_expired(now)
        return day.refusal(principal, tokens, minute)

    def latest(self, end: date) -> list[ModelDay]:
        opened = [day for day in sorted(self.days) if day <= end and self.days[day].is_open]
        return [self.days[day] for day in opened[-2:]]

    @rule(running=running)
    def retry_an_admission(self, running: Running) -> None:
        """The network's own repetition: the same request, while the first one's hold stands."""
        hold = running.hold
        if hold.request_id not in self.days[hold.day].holds:
            return
        again = self.at(lambda: running.at).admit(
            running.principal,
            running.model,
            hold.request_id,
            input_tokens=running.input_tokens,
            hold_tokens=running.tokens,
            expires_at=running.expires_at,
        )
        assert replace(again.hold, windows=hold.windows) == hold

    @rule(running=running, skew=SKEWS, figures=st.tuples(*[FIGURES] * 5) | st.just(ABSURD_FIGURES))
    def settle(self, running: Running, skew: float, figures: tuple[int, ...]) -> None:
        """For the first time, again, or too late: only the first counts."""
        day, now = self.days[running.hold.day], self.clock.now + skew
        expected = day.close(running.hold, clamped(*figures), now)

        assert self.ledger(skew).settle(running.hold, make_usage(*figures)) is expected

    @rule(running=running, skew=SKEWS)
    def release(self, running: Running, skew: float) -> None:
        expected = self.days[running.hold.day].close(running.hold, None, self.clock.now + skew)

        assert self.ledger(skew).release(running.hold) is expected

    @rule(seconds=st.sampled_from([1.0, 20.0, 40.0, 61.0, 61.0, 1_000.0]))
    def let_time_pass(self, seconds: float) -> None:
        """A request that nobody ends in the meantime is one whose process has died."""
        self.go_to(self.clock.now + seconds)

    @rule(seconds=st.integers(-40, 40))
    def go_to_midnight(self, seconds: int) -> None:
        today = utc_day(self.clock.now)
        midnight = datetime(today.year, today.month, today.day, tzinfo=UTC) + timedelta(days=1)
        self.go_to(midnight.timestamp() + seconds)

    def go_to(self, time: float) -> None:
        today = utc_day(self.clock.now)
        self.clock.now = max(time, self.clock.now)
        if utc_day(self.clock.now) != today:
            self.authenticate()

    @rule(what=st.sampled_from((*KEYS, "p")), skew=SKEWS)
    def change_a_key_or_the_profile(self, what: str, skew: float) -> None:
        now = self.clock.now + skew
        self.versions[what] += 1
        for day in {utc_day(now - 60), utc_day(now + 60)}:
            self.days[day].valid[what] = self.versions[what]

        self.ledger(skew).mark_changed(self.account, what, self.versions[what])

    @rule()
    def authenticate(self) -> None:
        """Processes cache what they read until they are told that it changed, or till midnight."""
        self.cached = {
            key_id: replace(
                caller(PLAN, key_id, account_id=self.account),
                key_version=self.versions[key_id],
                profile_version=self.versions["p"],
            )
            for key_id in KEYS
        }

    @rule(skew=SKEWS)
    def read_the_usage(self, skew: float) -> None:
        counted = {
            date_: rows
            for date_, day in self.days.items()
            if (rows := day.used(self.clock.now + skew))
        }
        start, end = min(self.days, default=date.min), max(self.days, default=date.min)

        usage = {day.day: day for day in self.ledger(skew).usage(self.account, start, end)}

        assert usage.keys() == counted.keys()
        for date_, rows in counted.items():
            usages = [usage for several in rows.values() for usage in several]
            assert usage[date_].total == sum(usages, Usage(0, 0))
            assert usage[date_].requests == len(usages)
            assert usage[date_].by_key_model == {
                pair: (len(several), sum(several, Usage(0, 0))) for pair, several in rows.items()
            }

    @rule(skew=SKEWS)
    def read_the_last_uses(self, skew: float) -> None:
        expected: dict[str, int] = {}
        for day in self.latest(date.max):
            for key_id, minute in day.last_uses.items():
                expected[key_id] = max(minute, expected.get(key_id, 0))

        last = self.ledger(skew).last_used(self.account)

        assert {key: int(time.timestamp()) // 60 for key, time in last.items()} == expected

    @invariant()
    def the_day_items_say_what_the_model_says(self) -> None:
        answer = self.client.query(
            TableName=self.table,
            KeyConditionExpression="pk = :account AND begins_with(sk, :kind)",
            ExpressionAttributeValues={
                ":account": {"S": f"ACCOUNT#{self.account}"},
                ":kind": {"S": "DAY#"},
            },
            ConsistentRead=True,
        )
        items = {(day := DayItem.from_item(item)).day: day for item in answer["Items"]}
        for item in answer["Items"]:
            check_day_item(item)
        for date_, model in self.days.items():
            self.compare(items.get(date_) or DayItem(self.account, date_, test=False), model)

    def compare(self, item: DayItem, model: ModelDay) -> None:
        assert item.is_open is model.is_open
        assert item.committed == model.committed
        assert item.settled == model.settled
        assert item.holds().keys() == model.holds.keys()
        for what, version in model.valid.items():
            assert item.number(valid_version(what)) == version
        earliest = minute_of_day(item.day, self.clock.now - 25)
        for minute in [minute for minute in model.requests if minute >= earliest]:
            assert item.number(requests_window(minute)) == model.requests[minute]
            assert item.number(tokens_window(minute)) == model.tokens[minute]


def make_usage(read: int, written: int, cached: int, cache_written: int, reasoning: int) -> Usage:
    return Usage(read, written, cached, cache_written, reasoning)


def clamped(read: int, written: int, cached: int, cache_written: int, reasoning: int) -> Usage:
    read, written = (min(max(figure, 0), MAX_TOKENS) for figure in (read, written))
    cached = min(max(cached, 0), read)
    cache_written = min(max(cache_written, 0), read - cached)
    return Usage(read, written, cached, cache_written, min(max(reasoning, 0), written))


def test_the_ledger_does_what_the_model_says(
    dynamodb: DynamoDBClient, lean_dynamodb: DynamoDB, losi_table: str
) -> None:
    LedgerMachine.client, LedgerMachine.table = dynamodb, losi_table
    LedgerMachine.dynamodb = lean_dynamodb
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=100,
            stateful_step_count=30,
            derandomize=True,  # the same run everywhere; without it, each run explores anew
            deadline=None,
            database=None,
            phases=[Phase.generate],  # a failure of so many writes takes long to shrink
            suppress_health_check=list(HealthCheck),
        ),
    )
