"""Each write of the ledger, as it leaves an item: what it changes, and when it changes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from losi.metering import expressions, register
from losi.metering.day_item import Hold, utc_day
from losi.metering.usage import Usage
from losi.store.writes import Update
from tests.dynamodb_model import Table
from tests.ledger_world import ACCOUNT, KEY, MODEL, OTHER_KEY, Clock, caller, make_plan

DAY = date(2026, 11, 23)
MINUTE = 12 * 60
USED = Usage(120, 30, 20, 10, 5, 4)
KEPT_DAYS = 800
ENDS = {"N": str(int(datetime(2029, 1, 31, tzinfo=UTC).timestamp()))}
HOLD = Hold(ACCOUNT, DAY, False, "one", 500, 100, 0, KEY, MODEL, minute=MINUTE)
#: Of a day that version 0.1 opened.
FLAT = replace(HOLD, nested=False)


def numbers(**values: int) -> dict[str, Any]:
    return {name: {"N": str(value)} for name, value in values.items()}


def row(*figures: int) -> dict[str, Any]:
    return {"L": [{"N": str(figure)} for figure in figures]}


def a_day(**others: Any) -> dict[str, Any]:
    """With one hold, of a key whose row is empty."""
    rows = {KEY: {"M": {MODEL: row(0, 0, 0, 0, 0, 0, 0)}}}
    holds = {"M": {"one": HOLD.to_attribute()}}
    return {"holds": holds, "k": {"M": rows}, **numbers(committed=500), **others}


def after(update: Update, before: dict[str, Any]) -> dict[str, Any] | None:
    """The item as the update leaves it; None if its condition is not met."""
    table = Table()
    where = update["Key"]["pk"]["S"], update["Key"]["sk"]["S"]
    table.items[where] = before
    if not table.update(update).landed:
        return None
    item = table.items[where]
    return {name: value for name, value in item.items() if name not in ("pk", "sk")}


def closed(
    before: dict[str, Any], now: float, hold: Hold = HOLD, usage: Usage | None = USED
) -> Any:
    return after(expressions.closing(hold, usage, now, elsewhere=False), before)


class TestClosing:
    def test_the_usage_takes_the_place_of_the_hold(self, clock: Clock) -> None:
        clock.set("2026-11-23T12:05:00")

        assert closed(a_day(), clock.now) == {
            "holds": {"M": {}},
            "k": {"M": {KEY: {"M": {MODEL: row(1, 120, 30, 20, 10, 5, 4)}}}},
            **numbers(committed=150),
        }

    def test_a_release_counts_nothing(self, clock: Clock) -> None:
        clock.set("2026-11-23T12:05:00")

        assert closed(a_day(), clock.now, usage=None) == {
            **a_day(),
            "holds": {"M": {}},
            **numbers(committed=0),
        }

    def test_a_zero_is_not_written(self) -> None:
        """Every byte of a write costs; a counter of an older row may be missing."""
        update = expressions.closing(HOLD, Usage(7, 0), 0.0, elsewhere=False)

        assert update["UpdateExpression"].count(" + ") == 2

    def test_a_key_that_is_gone_is_counted_elsewhere(self, clock: Clock) -> None:
        left = after(
            expressions.closing(HOLD, USED, clock.now + 60, elsewhere=True), a_day(k={"M": {}})
        )

        assert left == {"holds": {"M": {}}, "k": {"M": {}}, **numbers(committed=150)}
        assert closed(a_day(k={"M": {}}), clock.now) is None

    @pytest.mark.parametrize("time", ["12:00:00", "12:00:59"])
    def test_in_its_own_minute_it_frees_what_it_reserved_too_much(
        self, clock: Clock, time: str
    ) -> None:
        clock.set(f"2026-11-23T{time}")

        left = closed(a_day(**numbers(t720=500)), clock.now)

        assert left["t720"] == {"N": "150"}

    @pytest.mark.parametrize("time", ["11:59:59", "12:01:00"])
    def test_another_minute_is_left_alone(self, clock: Clock, time: str) -> None:
        clock.set(f"2026-11-23T{time}")

        left = closed(a_day(**numbers(t720=500)), clock.now)

        assert left["t720"] == {"N": "500"}
        assert "t719" not in left and "t721" not in left

    def test_counters_of_minutes_before_the_last_one_are_swept(self, clock: Clock) -> None:
        clock.set("2026-11-23T12:00:30")
        windows = range(MINUTE - 3, MINUTE + 2)
        counters = {f"{kind}{minute}": {"N": "1"} for kind in "rt" for minute in windows}

        left = closed(a_day(**counters), clock.now, replace(HOLD, windows=frozenset(windows)))

        assert {name for name in left if name[0] in "rt"} == {
            *("r719", "r720", "r721", "t719", "t720", "t721")
        }

    def test_tombstones_are_swept_when_they_are_over(self, clock: Clock) -> None:
        now = int(clock.now)
        tombstones = {"z_over": now - 1, "z_last": now, "z_later": now + 1}

        left = closed(a_day(**numbers(**tombstones)), now, replace(HOLD, tombstones=tombstones))

        assert {name for name in left if name.startswith("z_")} == {"z_last", "z_later"}

    def test_a_hold_whose_admission_may_land_again_leaves_a_tombstone(self, clock: Clock) -> None:
        now = int(clock.now)

        assert "z_one" not in closed(a_day(), now, replace(HOLD, late_until=now))
        late = replace(HOLD, late_until=now + 1, tombstones={"z_one": now - 1})
        assert closed(a_day(), now, late)["z_one"] == {"N": str(now + 1)}

    def test_in_the_layout_of_version_0_1(self, clock: Clock) -> None:
        clock.set("2026-11-23T12:05:00")

        assert closed(a_day(**numbers(n=1, i=5)), clock.now, FLAT, Usage(120, 30)) == {
            **a_day(),
            "holds": {"M": {}},
            **numbers(committed=150, n=2, i=125, o=30),
            f"{KEY}.{MODEL}.n": {"N": "1"},
            f"{KEY}.{MODEL}.i": {"N": "120"},
            f"{KEY}.{MODEL}.o": {"N": "30"},
        }

    def test_a_second_time_changes_nothing(self, clock: Clock) -> None:
        assert closed(a_day(holds={"M": {}}), clock.now) is None


class TestExpiring:
    def test_bills_the_estimate_and_keeps_a_record_of_it(self) -> None:
        assert after(expressions.expiring(HOLD, elsewhere=False), a_day()) == {
            "holds": {"M": {}},
            "k": {"M": {KEY: {"M": {MODEL: row(1, 100, 0, 0, 0, 0, 0)}}}},
            **numbers(committed=100, x_one=100),
        }

    def test_of_a_key_that_is_gone(self) -> None:
        left = after(expressions.expiring(HOLD, elsewhere=True), a_day(k={"M": {}}))

        assert left == {"holds": {"M": {}}, "k": {"M": {}}, **numbers(committed=100, x_one=100)}

    def test_a_second_time_changes_nothing(self) -> None:
        assert after(expressions.expiring(HOLD, elsewhere=False), a_day(holds={"M": {}})) is None


class TestCorrection:
    @pytest.fixture
    def expired(self) -> dict[str, Any]:
        billed = after(expressions.expiring(HOLD, elsewhere=False), a_day())
        assert billed is not None
        return billed

    def test_the_truth_replaces_the_estimate(self, expired: dict[str, Any], clock: Clock) -> None:
        update = expressions.correction(HOLD, USED, clock.now, elsewhere=False)

        assert after(update, expired) == {
            "holds": {"M": {}},
            "k": {"M": {KEY: {"M": {MODEL: row(1, 120, 30, 20, 10, 5, 4)}}}},
            **numbers(committed=150),
        }

    def test_a_request_that_was_free_after_all(self, expired: dict[str, Any], clock: Clock) -> None:
        update = expressions.correction(HOLD, None, clock.now, elsewhere=False)

        assert after(update, expired) == {
            "holds": {"M": {}},
            "k": {"M": {KEY: {"M": {MODEL: row(0, 0, 0, 0, 0, 0, 0)}}}},
            **numbers(committed=0),
        }

    def test_of_a_key_that_is_gone(self, expired: dict[str, Any], clock: Clock) -> None:
        update = expressions.correction(HOLD, USED, clock.now, elsewhere=True)

        left = after(update, {**expired, "k": {"M": {}}})

        assert left == {"holds": {"M": {}}, "k": {"M": {}}, **numbers(committed=150)}

    def test_leaves_a_tombstone_like_any_end(self, expired: dict[str, Any], clock: Clock) -> None:
        now = int(clock.now)

        def left(late_until: int) -> Any:
            hold = replace(HOLD, late_until=late_until)
            return after(expressions.correction(hold, USED, now, elsewhere=False), expired)

        assert "z_one" not in left(now)
        assert left(now + 1)["z_one"] == {"N": str(now + 1)}

    def test_a_second_time_changes_nothing(self, clock: Clock) -> None:
        assert (
            after(expressions.correction(HOLD, USED, clock.now, elsewhere=False), a_day()) is None
        )


class TestAdmission:
    """Into a day in which its key is open: with a limit reached, and with room for just this."""

    @pytest.mark.parametrize(
        ("limits", "counters", "admitted"),
        [
            ({"tokens_per_minute": 500}, {}, True),
            ({"tokens_per_minute": 499}, {}, False),
            ({"tokens_per_minute": 600}, {"t720": 100}, True),
            ({"tokens_per_minute": 600}, {"t720": 101}, False),
            ({"tokens_per_minute": 600}, {"t719": 101}, True),
            ({"tokens_per_day": 600}, {"committed": 100}, True),
            ({"tokens_per_day": 600}, {"committed": 101}, False),
            ({"requests_per_minute": 2}, {"r720": 1}, True),
            ({"requests_per_minute": 2}, {"r720": 2}, False),
            ({"requests_per_minute": 2}, {"r719": 2}, True),
            ({"in_flight": 2}, {}, True),
            ({"in_flight": 1}, {}, False),
            ({}, {"v_p": 1, f"v_{KEY}": 1}, True),
            ({}, {"v_p": 2}, False),
            ({}, {f"v_{KEY}": 2}, False),
            ({}, {f"v_{OTHER_KEY}": 2}, True),
            ({}, {"z_two": 1}, False),
            ({}, {"x_two": 1}, False),
            ({}, {"z_one": 1, "x_one": 1}, True),
        ],
    )
    def test_has_room_up_to_the_limit(
        self, clock: Clock, limits: dict[str, int], counters: dict[str, int], admitted: bool
    ) -> None:
        hold, principal = replace(HOLD, request_id="two"), caller(make_plan(**limits))
        update = expressions.admission(hold, principal, clock.now)

        left = after(update, a_day(**numbers(**{"committed": 0, **counters})))

        assert (left is not None) == admitted

    def test_what_it_leaves_behind(self, clock: Clock) -> None:
        hold = replace(HOLD, request_id="two", model_code="4o", tokens=300)

        left = after(expressions.admission(hold, caller(), clock.now), a_day(**numbers(t720=500)))

        holds = {"one": HOLD.to_attribute(), "two": hold.to_attribute()}
        rows = {MODEL: row(*[0] * 7), "4o": row(*[0] * 7)}
        assert left == {
            "holds": {"M": holds},
            "k": {"M": {KEY: {"M": rows}}},
            **numbers(committed=800, t720=800, r720=1),
            f"u_{KEY}": {"N": str(int(clock.now) // 60)},
        }

    def test_of_a_key_that_is_not_open_is_none(self, clock: Clock) -> None:
        hold = replace(HOLD, request_id="two")
        principal = caller()

        assert after(expressions.admission(hold, principal, clock.now), a_day(k={"M": {}})) is None
        flat = replace(hold, nested=False)
        assert after(expressions.admission(flat, principal, clock.now), a_day(k={"M": {}}))


class TestOpening:
    def test_a_day_knows_the_last_use_of_every_key(self) -> None:
        update = expressions.opening(HOLD, caller(), {KEY: 5, OTHER_KEY: 6}, KEPT_DAYS)

        opened = {
            "holds": {"M": {}},
            "k": {"M": {KEY: {"M": {}}}},
            "committed": {"N": "0"},
            "ttl": ENDS,
            **numbers(**{f"u_{KEY}": 5, f"u_{OTHER_KEY}": 6}),
        }
        assert after(update, {}) == opened
        assert after(update, numbers(v_p=1)) == {**opened, **numbers(v_p=1)}
        assert after(update, numbers(v_p=2)) is None
        assert after(update, opened) is None

    def test_a_key_of_a_day_that_is_open(self) -> None:
        update = expressions.key_opening(HOLD, caller())

        assert after(update, {"k": {"M": {}}}) == {"k": {"M": {KEY: {"M": {}}}}}
        assert after(update, {"k": {"M": {KEY: {"M": {}}}}}) is None
        assert after(update, {}) is None
        assert after(update, {"k": {"M": {}}, **numbers(v_p=2)}) is None


class TestADeletedKey:
    def test_its_counters_move_to_the_side_item(self) -> None:
        rows = {"M": {MODEL: row(1, 2, 0, 4, 5, 6, 7), "4o": row(8, 0, 0, 0, 0, 9)}}
        table = Table()
        where = f"ACCOUNT#{ACCOUNT}", "DAY#2026-11-23"
        table.items[where] = {"k": {"M": {KEY: rows}}, **numbers(**{f"u_{KEY}": 1})}
        updates = expressions.folding(ACCOUNT, DAY, KEY, rows, KEPT_DAYS, test=False)

        assert table.transact(updates).landed

        assert table.items[where]["k"] == {"M": {}}
        assert f"u_{KEY}" not in table.items[where]
        side = dict(table.items[where[0], "FOLDED-DAY#2026-11-23"])
        assert {side.pop("pk")["S"], side.pop("sk")["S"]} == {where[0], "FOLDED-DAY#2026-11-23"}
        assert side.pop("ttl") == ENDS
        ours = {"n": 1, "i": 2, "c": 4, "w": 5, "g": 6, "h": 7}
        assert side == {
            **numbers(**{f"{KEY}.{MODEL}.{name}": figure for name, figure in ours.items()}),
            **numbers(**{f"{KEY}.4o.n": 8, f"{KEY}.4o.g": 9}),
        }
        assert not table.transact(updates).landed  # they are not as they were read

    def test_without_usage_it_leaves_nothing(self) -> None:
        rows = {"M": {MODEL: row(*[0] * 7)}}

        [removal] = expressions.folding(ACCOUNT, DAY, KEY, rows, KEPT_DAYS, test=True)

        assert removal["Key"]["sk"] == {"S": "TEST#2026-11-23"}
        assert after(removal, {"k": {"M": {KEY: rows}}}) == {"k": {"M": {}}}

    def test_a_request_that_ends_later_is_counted_there(self) -> None:
        figures = (1, 2, 0, 0, 0, 0, 0)

        left = after(expressions.folded_count(HOLD, figures, KEPT_DAYS), {})

        mine = {f"{KEY}.{MODEL}.n": 1, f"{KEY}.{MODEL}.i": 2}
        assert left == {"ttl": ENDS, **numbers(**mine)}

    def test_its_last_use_is_forgotten(self) -> None:
        update = expressions.forgetting(ACCOUNT, DAY, KEY, test=False)
        uses = numbers(**{f"u_{KEY}": 5, f"u_{OTHER_KEY}": 6})

        assert after(update, uses) == numbers(**{f"u_{OTHER_KEY}": 6})
        assert after(update, {}) is None


class TestMarks:
    def test_only_a_higher_version_counts(self) -> None:
        def marked(before: dict[str, Any], version: int) -> dict[str, Any] | None:
            mark = expressions.marking(ACCOUNT, DAY, KEY, version, KEPT_DAYS, test=False)
            return after(mark, before)

        assert marked({}, 2) == {f"v_{KEY}": {"N": "2"}, "ttl": ENDS}
        assert marked(numbers(**{f"v_{KEY}": 2}), 3) == {f"v_{KEY}": {"N": "3"}, "ttl": ENDS}
        assert marked(numbers(**{f"v_{KEY}": 2}), 2) is None

    def test_a_buried_request_places_no_hold(self, clock: Clock) -> None:
        late = replace(HOLD, request_id="two", late_until=expressions.late_until(clock.now + 0.9))
        update = expressions.burying(late, KEPT_DAYS)

        buried = after(update, a_day(**numbers(committed=0)))

        assert buried is not None
        assert buried["z_two"] == {"N": str(int(clock.now + 0.9) + 360)}
        assert buried["ttl"] == ENDS
        assert after(expressions.admission(late, caller(), clock.now), buried) is None
        kept = after(update, numbers(ttl=5))
        assert kept is not None and kept["ttl"] == {"N": "5"}
        assert after(expressions.burying(replace(HOLD, late_until=1), KEPT_DAYS), a_day()) is None


def test_an_entry_of_the_register_stays_for_a_hundred_days() -> None:
    [ends] = register.entry(HOLD)["ExpressionAttributeValues"].values()

    assert utc_day(int(ends["N"])) == date(2027, 3, 3)
    assert after(register.entry(HOLD), {}) == {"ttl": ends}
