"""The ledger one request at a time. What it withstands stands in tests/integration."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from losi.errors import (
    ServerError,
    StoreUnavailableError,
)
from losi.metering.usage import MAX_TOKENS, Usage
from tests.dynamodb_local import free_port
from tests.ledger_invariants import check_invariants
from tests.ledger_world import (
    ACCOUNT,
    KEY,
    MODEL,
    OTHER_KEY,
    BlockingLedger,
    Clock,
    admit,
    caller,
    day_item,
    make_plan,
    metered,
    refused,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TODAY, TOMORROW = date(2026, 11, 23), date(2026, 11, 24)


ALMOST_MIDNIGHT, AFTER_MIDNIGHT = "2026-11-23T23:59:50", "2026-11-24T00:00:10"


class TestAdmission:
    def test_the_same_admission_again_is_the_same_admission(
        self, ledger: BlockingLedger, clock: Clock, table: tuple[DynamoDBClient, str]
    ) -> None:
        first = admit(ledger, caller(), clock, request_id="one")
        again = admit(ledger, caller(), clock, request_id="one")

        assert again == first
        assert day_item(table)["committed"] == {"N": "500"}

    def test_a_request_id_in_use_is_refused(self, ledger: BlockingLedger, clock: Clock) -> None:
        admit(ledger, caller(), clock, request_id="one")

        error = refused(ledger, clock, principal=caller(), request_id="one", tokens=501)

        assert isinstance(error, ServerError)

    def test_takes_one_write_once_the_day_is_open(
        self, ledger: BlockingLedger, clock: Clock, table: tuple[DynamoDBClient, str]
    ) -> None:
        with metered(table[0]) as first:
            admit(ledger, caller(), clock)
        with metered(table[0]) as later:
            admit(ledger, caller(), clock)

        # the day is not open; it is entered into the register, opened, and the request admitted
        assert first.calls == ["UpdateItem", "Query", "UpdateItem", "UpdateItem", "UpdateItem"]
        assert later.calls == ["UpdateItem"]

    def test_test_keys_have_day_items_of_their_own(
        self, ledger: BlockingLedger, clock: Clock, table: tuple[DynamoDBClient, str]
    ) -> None:
        plan = make_plan(in_flight=1)
        admit(ledger, caller(plan), clock)

        hold = admit(ledger, caller(plan, test=True), clock).hold
        ledger.settle(hold, Usage(100, 10))

        assert day_item(table, "TEST#2026-11-23")["committed"] == {"N": "110"}
        assert ledger.usage(ACCOUNT, TODAY, TODAY) == []

    def test_day_items_go_by_themselves_after_800_days(
        self, ledger: BlockingLedger, clock: Clock, table: tuple[DynamoDBClient, str]
    ) -> None:
        admit(ledger, caller(), clock)

        ends = datetime.fromtimestamp(int(day_item(table)["ttl"]["N"]), UTC)

        assert ends == datetime(2029, 1, 31, tzinfo=UTC)

    def test_a_request_that_fills_the_day_exactly_is_admitted(
        self, ledger: BlockingLedger, clock: Clock
    ) -> None:
        plan = make_plan(tokens_per_day=1_000, tokens_per_minute=1_000)

        admit(ledger, caller(plan), clock, tokens=400)
        admit(ledger, caller(plan), clock, tokens=600)

        assert refused(ledger, clock, caller(plan), tokens=1).code == "rate_limit_exceeded"

    def test_two_that_open_a_day_at_once_open_it_once(
        self, ledger: BlockingLedger, table: tuple[DynamoDBClient, str], clock: Clock
    ) -> None:
        """The slower one must not put an empty day over the faster one's hold."""
        client, _ = table
        update, raced = client.update_item, False

        def slower(**request: Any) -> Any:
            nonlocal raced
            if "holds" in request["ExpressionAttributeNames"].values() and not raced:
                raced = True
                admit(ledger, caller(), clock, tokens=700)
            return update(**request)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(client, "update_item", slower)
            admit(ledger, caller(), clock, tokens=300)

        assert raced
        assert day_item(table)["committed"] == {"N": "1000"}
        assert len(day_item(table)["holds"]["M"]) == 2


class TestSettling:
    def test_counts_what_was_used_for_the_day_and_for_its_key_and_model(
        self, ledger: BlockingLedger, clock: Clock
    ) -> None:
        used, more = Usage(120, 30, 20, 10, 5), Usage(80, 20)
        for key_id, usage in ((KEY, used), (OTHER_KEY, more), (KEY, more)):
            hold = admit(ledger, caller(key_id=key_id), clock).hold
            assert ledger.settle(hold, usage)

        (day,) = ledger.usage(ACCOUNT, TODAY, TODAY)

        assert (day.day, day.requests, day.total) == (TODAY, 3, used + more + more)
        assert day.by_key_model == {
            (KEY, MODEL): (2, used + more),
            (OTHER_KEY, MODEL): (1, more),
        }

    @pytest.mark.parametrize("before", [7, 6], ids=["", "in a row of before they were counted"])
    def test_counts_cache_writes_for_an_hour(
        self,
        ledger: BlockingLedger,
        clock: Clock,
        table: tuple[DynamoDBClient, str],
        before: int,
    ) -> None:
        used = Usage(90, 10, cache_write_tokens=60, hour_write_tokens=40)
        admitted = [admit(ledger, caller(), clock, request_id=name) for name in ("one", "two")]
        client, name = table
        client.update_item(
            TableName=name,
            Key={"pk": {"S": f"ACCOUNT#{ACCOUNT}"}, "sk": {"S": "DAY#2026-11-23"}},
            UpdateExpression="SET k.#key.#model = :row",
            ExpressionAttributeNames={"#key": KEY, "#model": MODEL},
            ExpressionAttributeValues={":row": {"L": [{"N": "0"}] * before}},
        )

        for hold in admitted:
            ledger.settle(hold.hold, used)

        (today,) = ledger.usage(ACCOUNT, TODAY, TODAY)
        assert today.total == used + used
        assert day_item(table)["k"]["M"][KEY]["M"][MODEL]["L"][6] == {"N": "80"}

    def test_a_second_time_changes_nothing(self, ledger: BlockingLedger, clock: Clock) -> None:
        hold = admit(ledger, caller(), clock).hold

        assert ledger.settle(hold, Usage(100, 10))
        assert not ledger.settle(hold, Usage(100, 10))
        assert not ledger.release(hold)

        (day,) = ledger.usage(ACCOUNT, TODAY, TODAY)
        assert (day.requests, day.total) == (1, Usage(100, 10))

    def test_releasing_is_free(
        self, ledger: BlockingLedger, clock: Clock, table: tuple[DynamoDBClient, str]
    ) -> None:
        hold = admit(ledger, caller(), clock).hold

        assert ledger.release(hold)
        assert not ledger.release(hold)

        assert day_item(table)["committed"] == {"N": "0"}
        assert ledger.usage(ACCOUNT, TODAY, TODAY) == []

    @pytest.mark.parametrize("used", [10, 900])
    def test_the_minute_counts_what_was_used_rather_than_held(
        self, ledger: BlockingLedger, clock: Clock, used: int
    ) -> None:
        plan = make_plan(tokens_per_minute=10_000)
        ledger.settle(admit(ledger, caller(plan), clock).hold, Usage(used, 0))

        limits = admit(ledger, caller(plan), clock).limits

        assert limits.remaining_tokens == 10_000 - used - 500

    def test_a_later_minute_is_not_touched(self, ledger: BlockingLedger, clock: Clock) -> None:
        plan = make_plan(tokens_per_minute=10_000)
        hold = admit(ledger, caller(plan), clock).hold
        clock.advance(60)
        ledger.settle(hold, Usage(10, 0))

        assert admit(ledger, caller(plan), clock).limits.remaining_tokens == 9_500

    def test_sweeps_the_counters_of_minutes_past(
        self, ledger: BlockingLedger, clock: Clock, table: tuple[DynamoDBClient, str]
    ) -> None:
        for _ in range(4):
            hold = admit(ledger, caller(), clock).hold
            clock.advance(60)
            ledger.settle(hold, Usage(1, 1))

        windows = sorted(name for name in day_item(table) if name[0] in "rt" and name[1:].isdigit())

        assert windows == ["r723", "t723"]

    def test_a_request_over_midnight_counts_on_the_day_it_began(
        self, ledger: BlockingLedger, clock: Clock
    ) -> None:
        clock.set(ALMOST_MIDNIGHT)
        hold = admit(ledger, caller(), clock).hold
        clock.set(AFTER_MIDNIGHT)
        admit(ledger, caller(), clock)

        assert ledger.settle(hold, Usage(100, 10))

        assert [day.day for day in ledger.usage(ACCOUNT, TODAY, TOMORROW)] == [TODAY]

    def test_absurd_figures_are_clamped(self, ledger: BlockingLedger, clock: Clock) -> None:
        hold = admit(ledger, caller(), clock).hold

        ledger.settle(hold, Usage(-5, 10**18, 7, -1, 10**19))

        (day,) = ledger.usage(ACCOUNT, TODAY, TODAY)
        assert day.total == Usage(0, MAX_TOKENS, 0, 0, MAX_TOKENS)

    def test_what_is_cached_and_what_is_written_are_parts_of_what_was_read(
        self, ledger: BlockingLedger, clock: Clock
    ) -> None:
        hold = admit(ledger, caller(), clock).hold

        ledger.settle(hold, Usage(10, 1, cached_tokens=8, cache_write_tokens=8))

        [day] = ledger.usage(ACCOUNT, TODAY, TODAY)
        assert (day.total.cached_tokens, day.total.cache_write_tokens) == (8, 2)


class TestDeadProcesses:
    """Holds whose process can no longer settle them."""

    def test_are_billed_their_estimated_input(self, ledger: BlockingLedger, clock: Clock) -> None:
        plan = make_plan(in_flight=1)
        admit(ledger, caller(plan), clock, input_tokens=100)
        clock.advance(901)

        admit(ledger, caller(plan), clock)

        (day,) = ledger.usage(ACCOUNT, TODAY, TODAY)
        assert day.by_key_model == {(KEY, MODEL): (1, Usage(100, 0))}

    @pytest.mark.parametrize(
        ("usage", "billed"),
        [(Usage(120, 80), (1, Usage(120, 80))), (Usage(50, 0), (1, Usage(50, 0)))],
    )
    def test_that_come_late_replace_the_estimate_once(
        self, ledger: BlockingLedger, clock: Clock, usage: Usage, billed: tuple[int, Usage]
    ) -> None:
        plan = make_plan(in_flight=1)
        hold = admit(ledger, caller(plan), clock, input_tokens=100).hold
        clock.advance(901)
        ledger.release(admit(ledger, caller(plan), clock).hold)

        assert ledger.settle(hold, usage)
        assert not ledger.settle(hold, usage)

        (day,) = ledger.usage(ACCOUNT, TODAY, TODAY)
        assert day.by_key_model == {(KEY, MODEL): billed}

    def test_that_come_late_and_produced_nothing_are_free(
        self, ledger: BlockingLedger, clock: Clock
    ) -> None:
        plan = make_plan(in_flight=1)
        hold = admit(ledger, caller(plan), clock, input_tokens=100).hold
        clock.advance(901)
        ledger.release(admit(ledger, caller(plan), clock).hold)

        assert ledger.release(hold)

        assert ledger.usage(ACCOUNT, TODAY, TODAY) == []

    def test_they_are_not_in_the_way_of_the_next_request(
        self, ledger: BlockingLedger, clock: Clock
    ) -> None:
        plan = make_plan(in_flight=1, tokens_per_day=900)
        admit(ledger, caller(plan), clock)
        clock.advance(901)

        admit(ledger, caller(plan), clock)

    def test_until_then_they_are_alive(self, ledger: BlockingLedger, clock: Clock) -> None:
        hold = admit(ledger, caller(), clock).hold
        clock.advance(900)
        admit(ledger, caller(), clock)

        assert ledger.settle(hold, Usage(120, 80))

    def test_usage_counts_them_whether_or_not_somebody_settled_them(
        self, ledger: BlockingLedger, clock: Clock
    ) -> None:
        admit(ledger, caller(), clock, input_tokens=100)
        clock.advance(901)

        (day,) = ledger.usage(ACCOUNT, TODAY, TODAY)

        assert day.total == Usage(100, 0)

    def test_the_next_day_settles_those_of_the_day_before(
        self, ledger: BlockingLedger, clock: Clock, table: tuple[DynamoDBClient, str]
    ) -> None:
        admit(ledger, caller(), clock)
        clock.set("2026-11-24T09:00:00")

        admit(ledger, caller(), clock)

        check_invariants(*table, expired_at=clock.now)


class TestStoreFailure:
    def test_lets_nothing_through(self, clock: Clock) -> None:
        down = boto3.client(
            "dynamodb",
            endpoint_url=f"http://127.0.0.1:{free_port()}",
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"total_max_attempts": 1}),
        )
        ledger = BlockingLedger(down, "losi", clock, patience=0.1)

        error = refused(ledger, clock, principal=caller())

        assert isinstance(error, StoreUnavailableError)
        assert (error.status, error.headers["retry-after"]) == (503, "1")
