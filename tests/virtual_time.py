"""An event loop whose time jumps to the next timer: hours of waiting pass in no time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Where the loop would wait for its next timer, the time comes at once."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("everything waits, and nothing will ever happen")
            self.loop.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.now = 0.0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now


def run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


class Jumps:
    """The running loop's time on real sockets: it passes by itself, and skips what nobody would
    wait for. All timers that were due meanwhile are due at once.
    """

    def __init__(self) -> None:
        self._ahead = 0.0
        loop: Any = asyncio.get_running_loop()
        real: Callable[[], float] = loop.time
        loop.time = lambda: real() + self._ahead

    def by(self, seconds: float) -> None:
        self._ahead += seconds
