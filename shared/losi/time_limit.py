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


_NEVER = float("inf")


class _Timer:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.entries: set[_Entry] = set()
        self.when = _NEVER
        self._handle: asyncio.TimerHandle | None = None

    def add(self, entry: _Entry) -> None:
        self.entries.add(entry)
        if entry.when < self.when:
            self.set(entry.when)

    def set(self, when: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self.when = when
        self._handle = self.loop.call_at(when, self._ring)

    def _ring(self) -> None:
        self._handle, self.when = None, _NEVER
        now = self.loop.time()
        for entry in [entry for entry in self.entries if entry.when <= now]:
            self.entries.discard(entry)
            entry.ring()
        earliest = min((entry.when for entry in self.entries), default=_NEVER)
        if earliest < self.when:  # unless what rang has asked for an earlier time
            self.set(earliest)


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
        self._timer = timer = _timer()
        task = asyncio.current_task(timer.loop)
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()
        timer.add(self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.entries.discard(self)
        if self._expired:
            self._end(kind, error)

    def ring(self) -> None:
        self._expired = True
        self._task.cancel()

    def _end(self, kind: type[BaseException] | None, error: BaseException | None) -> None:
        """Raise TimeoutError if the limit ended the block, and nobody else cancelled the task."""
        self._expired = False
        if self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error


until = TimeLimit


class TimeLimits(TimeLimit):
    """Of the waits of one task that follow each other, such as a stream's for each event:
    `with limits.until(when):` for each of them, and `close()` after the last.

    It stays among the timer's entries, so that a further wait adds nothing to them.
    """

    __slots__ = ("_next",)

    def __init__(self) -> None:
        super().__init__(_NEVER)
        super().__enter__()

    def until(self, when: float) -> TimeLimits:
        self._next = when
        return self

    def __enter__(self) -> None:
        self.when, self._cancelling = self._next, self._task.cancelling()
        if self.when < self._timer.when:
            self._timer.set(self.when)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.when = _NEVER
        if self._expired:
            self._end(kind, error)

    def ring(self) -> None:
        self.when = _NEVER
        self._timer.entries.add(self)  # the timer removes what rings
        super().ring()

    def close(self) -> None:
        self._timer.entries.discard(self)


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
