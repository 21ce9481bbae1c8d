"""A provider fails, on a real socket: what the caller sees and pays (docs/reliability.md)."""

from __future__ import annotations

from typing import Any

import pytest

from losi.upstream import http, sse
from tests.fake_upstream import FakeUpstream
from tests.faults import broken
from tests.faults.page import Row, rows

ROWS = rows("unit/faults/test_provider.py::test_it_fails")
SECOND = rows("unit/faults/test_provider.py::test_the_next_route_answers")


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
async def test_it_fails(row: Row, api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_JSON_BYTES", 100_000)
    monkeypatch.setattr(sse, "MAX_STREAM_BYTES", 1_000_000)
    async with broken.provider(row.fault) as url, api(providers={"openai": url}) as here:
        assert await here.sees(stream=row.streams) == row.sees
        assert await here.billed() == row.billed


@pytest.mark.parametrize("row", SECOND, ids=[row.id for row in SECOND])
async def test_the_next_route_answers(row: Row, api: Any) -> None:
    fault = row.fault.removesuffix(", and the model has another route")
    async with broken.provider(fault) as url, FakeUpstream() as well:
        well.answer = broken.whole
        async with api(providers={"openai": url, "groq": well.url}) as here:
            assert await here.sees(stream=row.streams) == row.sees
            assert await here.billed() == row.billed
        assert len(well.requests) == (row.sees == "the answer")


def test_every_fault_has_its_rows() -> None:
    assert {row.fault for row in ROWS} == {*broken.FAULTS, *broken.BELOW_HTTP}
