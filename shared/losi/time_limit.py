"""Time limits and reminders, all on one timer of the event loop.

`asyncio.timeout` makes a timer for each wait, and cancels it again. A request waits ten times and a
stream thousands of times, mostly for what is there already, and then the timers cost more than all
else. So a loop has one timer here, which rings at the earliest time that was asked for. It is not
set anew when that wait is over: it rings for nothing, once, and looks for the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Protocol


class _Entry(Protocol):
    when: float

    def ring(self) -> None: ...


class _Timer:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.entries: set[_Entry] = set()
        self._handle: asyncio.TimerHandle | None = None
        self._when = float("inf")

    def add(self, entry: _Entry) -> None:
        self.entries.add(entry)
        if entry.when < self._when:
            self._set(entry.when)

    def _set(self, when: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._when = when
        self._handle = self.loop.call_at(when, self._ring)

    def _ring(self) -> None:
        self._handle, self._when = None, float("inf")
        now = self.loop.time()
        for entry in [entry for entry in self.entries if entry.when <= now]:
            self.entries.discard(entry)
            entry.ring()
        if self.entries:
            earliest = min(entry.when for entry in self.entries)
            if earliest < self._when:  # unless what rang has asked for an earlier time
                self._set(earliest)


#: The timer of the loop that asked last. Processes have one loop, except in tests; entries keep the
#: timer that they were added to.
_latest: _Timer | None = None


def _timer() -> _Timer:
    global _latest
    loop = asyncio.get_running_loop()
    if _latest is None or _latest.loop is not loop:
        _latest = _Timer(loop)
    return _latest


class TimeLimit:
    """`with until(when):` raises TimeoutError if the block still waits at `when` (the loop's time),
    as `asyncio.timeout_at` does.
    """

    __slots__ = ("_cancelling", "_expired", "_task", "_timer", "when")

    def __init__(self, when: float) -> None:
        self.when = when
        self._expired = False

    def __enter__(self) -> None:
        timer = _timer()
        task = asyncio.current_task(timer.loop)
        assert task is not None
        self._task, self._cancelling, self._timer = task, task.cancelling(), timer
        timer.add(self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.entries.discard(self)
        if (
            self._expired
            and self._task.uncancel() <= self._cancelling
            and kind is asyncio.CancelledError
        ):
            raise TimeoutError from error

    def ring(self) -> None:
        self._expired = True
        self._task.cancel()


until = TimeLimit


def within(seconds: float) -> TimeLimit:
    """As `until`, in `seconds` from now."""
    return TimeLimit(asyncio.get_running_loop().time() + seconds)


class Reminder:
    """Calls `ring` at `when` (the loop's time), once, unless it is cancelled before."""

    __slots__ = ("_timer", "ring", "when")

    def __init__(self, when: float, ring: Callable[[], None]) -> None:
        self.when = when
        self.ring = ring
        self._timer = _timer()
        self._timer.add(self)

    def cancel(self) -> None:
        self._timer.entries.discard(self)
