"""A time limit for one wait after another, on one timer of the event loop.

`asyncio.timeout` makes a timer for each wait. A stream waits thousands of times, mostly for what is
there already, and then the timer costs more than all else.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")


class TimeLimit:
    """Time limits for waits that follow each other. Close it after the last wait."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        #: The deadline of the current wait.
        self._task: asyncio.Task[Any] | None = None
        self._until: float
        self._expired: bool

    async def wait(self, answer: Awaitable[T], until: float) -> T:
        """Wait for the result. Raises TimeoutError if it is not there at `until` (the loop's
        time).
        """
        task = asyncio.current_task()
        assert task is not None
        cancelling = task.cancelling()
        self._until, self._task, self._expired = until, task, False
        if self._timer is None or self._timer.when() > until:
            self._set(until)
        try:
            return await answer
        except asyncio.CancelledError as error:
            if self._expired and task.uncancel() <= cancelling:
                raise TimeoutError from error
            raise
        finally:
            self._task = None

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, when: float) -> None:
        self.close()
        self._timer = self._loop.call_at(when, self._rings)

    def _rings(self) -> None:
        self._timer = None
        if self._task is None:
            return  # nobody waits: the next wait sets the timer
        if self._loop.time() < self._until:
            self._set(self._until)
            return
        self._expired = True
        self._task.cancel()
