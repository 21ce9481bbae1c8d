"""A provider fails, on a real socket: what the caller sees and pays (docs/reliability.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from losi.dialects.openai import EVENT_STREAM, PLAIN
from losi.upstream import http, sse
from tests.fake_upstream import FakeUpstream
from tests.faults import broken
from tests.faults.api import PATIENCE
from tests.faults.page import Row, rows
from tests.virtual_time import Jumps

ROWS = rows("contract/faults/test_provider.py::test_it_fails")
SECOND = rows("contract/faults/test_provider.py::test_the_next_route_answers")

LONG = rows("contract/faults/test_provider.py::test_it_is_silent_for_long")


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
async def test_it_fails(row: Row, api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_JSON_BYTES", 100_000)
    monkeypatch.setattr(sse, "MAX_STREAM_BYTES", 1_000_000)
    # connecting has half of the patience
    pass_time = time_passes(PATIENCE / 2 if row.fault in broken.BELOW_HTTP else PATIENCE)
    begun = pass_time if row.fault in broken.STALLS and row.streams else nothing_happens
    async with (
        broken.provider(row.fault, pass_time) as url,
        api(providers={"openai": url}) as here,
    ):
        assert await here.sees(stream=row.streams, begun=begun) == row.sees
        assert await here.billed() == row.billed


@pytest.mark.parametrize("row", SECOND, ids=[row.id for row in SECOND])
async def test_the_next_route_answers(row: Row, api: Any) -> None:
    fault = row.fault.removesuffix(", and the model has another route")
    async with (
        broken.provider(fault, time_passes(PATIENCE)) as url,
        FakeUpstream() as well,
        api(providers={"openai": url, "groq": well.url}) as here,
    ):
        well.answer = broken.whole
        assert await here.sees(stream=row.streams) == row.sees
        assert await here.billed() == row.billed
        assert len(well.requests) == (row.sees == "the answer")


@pytest.mark.parametrize("row", LONG, ids=[row.id for row in LONG])
async def test_it_is_silent_for_long(row: Row, api: Any) -> None:
    """First the answer begins with a heartbeat, then the patience ends."""
    form = EVENT_STREAM if row.streams else PLAIN
    time, patience = Jumps(), 2 * form.heartbeat_seconds
    attempts = []

    def silent() -> None:
        attempts.append(1)
        time.by(form.heartbeat_seconds if len(attempts) == 1 else patience)

    async with (
        broken.provider("says nothing", silent) as url,
        api(providers={"openai": url}, patience=patience, seconds=10 * patience) as here,
    ):
        saw = await here.sees(stream=row.streams, begun=lambda: time.by(patience))
        assert saw == row.sees
        assert await here.billed() == row.billed


def time_passes(seconds: float) -> Callable[[], None]:
    time = Jumps()
    return lambda: time.by(seconds)


def nothing_happens() -> None:
    """Time passes by itself."""


def test_every_fault_has_its_rows() -> None:
    assert {row.fault for row in ROWS} == {*broken.FAULTS, *broken.BELOW_HTTP}
