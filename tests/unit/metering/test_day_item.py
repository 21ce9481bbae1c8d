"""Days are UTC days, wherever the process runs."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

from losi.metering.day_item import days_around, minute_of_day, utc_day

ELSEWHERE = ["America/Los_Angeles", "Pacific/Kiritimati", "Asia/Kolkata"]


@pytest.fixture(params=ELSEWHERE)
def elsewhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as environment:
        environment.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("clock", ["00:00:00", "00:00:59", "12:34:56", "23:59:59"])
def test_the_time_zone_of_the_process_does_not_matter(clock: str) -> None:
    moment = datetime.fromisoformat(f"2026-03-08T{clock}").replace(tzinfo=UTC)
    day = date(2026, 3, 8)  # on which clocks change in Los Angeles

    assert utc_day(moment.timestamp()) == day
    assert minute_of_day(day, moment.timestamp()) == moment.hour * 60 + moment.minute
    assert day in days_around(moment.timestamp(), 60)
