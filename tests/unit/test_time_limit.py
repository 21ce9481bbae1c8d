"""One timer for many waits does what a timer for each would do."""

import asyncio

import pytest

from losi.time_limit import TimeLimit
from tests import virtual_time


def now() -> float:
    return asyncio.get_running_loop().time()


async def after(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "there"


def test_each_wait_has_its_own_time() -> None:
    async def main() -> float:
        limit = TimeLimit()
        for seconds in (3.0, 1.0, 2.0):
            assert await limit.wait(after(seconds), now() + seconds + 0.5) == "there"
            await asyncio.sleep(10)  # between two waits, nothing ends
        began = now()
        with pytest.raises(TimeoutError):
            await limit.wait(after(60), now() + 5)
        took = now() - began
        assert await limit.wait(after(1), now() + 2) == "there"
        limit.close()
        return took

    assert virtual_time.run(main()) == pytest.approx(5)


def test_a_shorter_wait_after_a_longer_one_ends_in_its_own_time() -> None:
    async def main() -> float:
        limit = TimeLimit()
        await limit.wait(after(1), now() + 1_000)
        began = now()
        with pytest.raises(TimeoutError):
            await limit.wait(after(60), now() + 5)
        return now() - began

    assert virtual_time.run(main()) == pytest.approx(5)


def test_who_is_cancelled_from_outside_is_cancelled() -> None:
    async def main() -> bool:
        limit = TimeLimit()
        waiting = asyncio.ensure_future(limit.wait(after(60), now() + 30))
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.wait({waiting})
        return waiting.cancelled()

    assert virtual_time.run(main())


def test_many_waits_make_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> int:
        loop, made = asyncio.get_running_loop(), 0
        original = loop.call_at

        def counted(*arguments: object, **named: object) -> asyncio.TimerHandle:
            nonlocal made
            made += 1
            return original(*arguments, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(loop, "call_at", counted)
        limit = TimeLimit()
        for _ in range(100):
            await limit.wait(asyncio.sleep(0), now() + 60)
        limit.close()
        return made

    assert asyncio.run(main()) == 1
