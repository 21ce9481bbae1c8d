"""What the record of a request notes, and when: pure, on a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest

from losi import __version__
from losi.errors import InvalidRequestError, RateLimitError, ServerError, UpstreamError
from losi.observe.request import (
    Attempt,
    Event,
    RequestLine,
    attempt,
    count,
    counted,
    failed,
    first_chunk,
    note,
    observed,
    upstream_ended,
)
from tests.ledger_world import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("losi.observe.request.time.monotonic", made)
    return made


def new_line() -> RequestLine:
    return RequestLine("req_1", "POST", "curl")


def test_a_new_line_claims_nothing() -> None:
    assert new_line().as_json() == {
        "request_id": "req_1",
        "method": "POST",
        "user_agent": "curl",
        "trace_id": None,
        "cold_start": False,
        "timestamp": "",
        "level": "INFO",
        "version": __version__,
        "endpoint": None,
        "account": None,
        "by": None,
        "test": None,
        "model": None,
        "status": None,
        "error_type": None,
        "error": None,
        "client_gone": False,
        "attempts": [],
        "input_tokens": None,
        "output_tokens": None,
        "cached_tokens": None,
        "cache_write_tokens": None,
        "reasoning_tokens": None,
        "estimated": None,
        "micro_usd": None,
        "first_chunk_ms": None,
        "upstream_ms": None,
        "overhead_ms": 0,
        "duration_ms": 0,
        "counts": Counter(),
    }
    assert Attempt("a/b") == Attempt("a/b", "ok", 0, None, None)


class TestTimes:
    def test_of_a_request_that_asks_nobody(self, clock: Clock) -> None:
        with observed(new_line()) as found:
            clock.advance(0.25)
            assert found.watch.elapsed_ms() == 250

        line = found.line
        assert (line.duration_ms, line.upstream_ms, line.overhead_ms) == (250, None, 250)
        assert len(line.timestamp) == len("2026-01-01T00:00:00.000+00:00")

    def test_upstream_is_from_the_first_attempt_to_the_end_of_the_last(self, clock: Clock) -> None:
        with observed(new_line()) as found:
            clock.advance(1)
            with suppress(ServerError), attempt("a/x"):
                clock.advance(2)
                raise ServerError("?")
            clock.advance(4)  # the pause before the next
            with attempt("b/x"):
                clock.advance(8)
            clock.advance(16)

        line = found.line
        assert [each.ms for each in line.attempts] == [2_000, 8_000]
        assert (line.duration_ms, line.upstream_ms, line.overhead_ms) == (31_000, 14_000, 17_000)

    def test_of_a_stream_end_with_its_last_chunk(self, clock: Clock) -> None:
        with observed(new_line()) as found:
            with attempt("a/x"):
                clock.advance(1)
            clock.advance(2)
            first_chunk()
            clock.advance(4)
            upstream_ended()
            clock.advance(8)

        line = found.line
        assert line.first_chunk_ms == 3_000
        assert (line.duration_ms, line.upstream_ms, line.overhead_ms) == (15_000, 7_000, 8_000)


@pytest.mark.parametrize(
    ("error", "outcome", "is_failure"),
    [
        (None, "ok", False),
        (InvalidRequestError("?", code="invalid_value"), "refused", False),
        (UpstreamError("?", code="upstream_rate_limited"), "upstream_rate_limited", True),
        (RateLimitError("?", retry_after=1), "rate_limit_exceeded", True),
        (asyncio.CancelledError(), "cancelled", False),
        (GeneratorExit(), "cancelled", False),
        (KeyError("a prompt"), "KeyError", True),
    ],
    ids=repr,
)
def test_what_ends_an_attempt_is_its_outcome(
    error: BaseException | None, outcome: str, is_failure: bool
) -> None:
    with observed(new_line()) as found, suppress(BaseException), attempt("a/x"):
        if error is not None:
            raise error

    (made,) = found.line.attempts
    assert (made.route, made.outcome, made.is_failure) == ("a/x", outcome, is_failure)


def test_a_refusal_is_noted_by_type_and_code_and_a_provider_s_own_code_is_not() -> None:
    quoted, plain = InvalidRequestError("?", code="their_code"), InvalidRequestError("?")
    quoted.is_quoted = True
    found = []
    for error in (InvalidRequestError("?", code="ours"), quoted, plain):
        with observed(new_line()) as each:
            failed(error)
        found.append((each.line.error_type, each.line.error))

    kind = "invalid_request_error"
    assert found == [(kind, "ours"), (kind, "provider_refusal"), (kind, kind)]


@pytest.mark.parametrize(("type", "fault"), [("server_error", True), ("rate_limit_error", False)])
def test_only_a_server_s_error_is_a_fault(type: str, fault: bool) -> None:
    line = new_line()
    assert line.is_fault is False
    line.error_type = type

    assert line.is_fault is fault


class TestWhereNotesGo:
    def test_to_the_request_around(self) -> None:
        outer, inner = new_line(), new_line()
        with observed(outer):
            with observed(inner):
                note(model="b", estimated=True)
                count(Event.LEDGER_RETRY)
            note(model="a")
            count(Event.HOLD_EXPIRED, 2)
            count(Event.HOLD_EXPIRED)

        assert (outer.model, outer.estimated, inner.model, inner.estimated) == (
            "a",
            None,
            "b",
            True,
        )
        assert outer.counts == {"losi.holds.expired": 3}
        assert inner.counts == {"losi.ledger.retries": 1}

    def test_of_a_run_by_schedule_to_its_counts(self) -> None:
        with observed(new_line()) as found:
            with counted() as counts:
                count(Event.SETTLED_LATE)
            count(Event.SETTLED_LATE)

        assert counts == {"losi.settlements.late": 1}
        assert found.line.counts == {"losi.settlements.late": 1}

    def test_nothing_happened_is_not_counted(self) -> None:
        with counted() as counts:
            count(Event.HOLD_EXPIRED, 0)

        assert "losi.holds.expired" not in counts

    @pytest.mark.parametrize(
        "act",
        [
            lambda: note(model="a"),
            lambda: failed(ServerError("?")),
            lambda: count(Event.HOLD_EXPIRED),
            first_chunk,
            upstream_ended,
        ],
    )
    def test_outside_of_requests_nowhere(self, act: Callable[[], None]) -> None:
        with observed(new_line()) as found:
            pass
        ended = found.line.as_json()
        with counted() as counts:
            pass

        act()  # fails for nobody

        assert found.line.as_json() == ended and counts == {}

    def test_an_attempt_outside_of_requests_is_timed_all_the_same(self, clock: Clock) -> None:
        with attempt("a/x") as made:
            clock.advance(2)

        assert made.ms == 2_000
