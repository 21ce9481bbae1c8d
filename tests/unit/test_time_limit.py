"""One timer for many waits does what a timer for each would do."""

import asyncio
import gc
import weakref

import pytest

from losi.time_limit import Reminder, TimeLimits, until, within
from tests import virtual_time


def now() -> float:
    return asyncio.get_running_loop().time()


def test_each_wait_has_its_own_time() -> None:
    async def main() -> float:
        for seconds in (3.0, 1.0, 2.0):
            with within(seconds + 0.5):
                await asyncio.sleep(seconds)
            await asyncio.sleep(10)  # between two waits, nothing ends
        began = now()
        with pytest.raises(TimeoutError), until(began + 5):
            await asyncio.sleep(60)
        took = now() - began
        with within(2):
            await asyncio.sleep(1)
        return took

    assert virtual_time.run(main()) == pytest.approx(5)


def test_a_shorter_wait_after_a_longer_one_ends_in_its_own_time() -> None:
    async def main() -> float:
        with within(1_000):
            await asyncio.sleep(1)
        began = now()
        with pytest.raises(TimeoutError), within(5):
            await asyncio.sleep(60)
        return now() - began

    assert virtual_time.run(main()) == pytest.approx(5)


def test_waits_at_the_same_time_end_at_their_own_times() -> None:
    async def ends_after(seconds: float) -> float:
        with pytest.raises(TimeoutError), within(seconds):
            await asyncio.sleep(1_000)
        return now()

    async def main() -> list[float]:
        return await asyncio.gather(*map(ends_after, (7, 3, 5, 3)))

    assert virtual_time.run(main()) == pytest.approx([7, 3, 5, 3])


@pytest.mark.parametrize(("outer", "inner", "ends"), [(2, 5, "outer"), (5, 2, "inner")])
def test_of_two_limits_the_one_whose_time_is_up_ends_its_own_block(
    outer: float, inner: float, ends: str
) -> None:
    async def main() -> str:
        try:
            with within(outer):
                try:
                    with within(inner):
                        await asyncio.sleep(60)
                except TimeoutError:
                    return "inner"
        except TimeoutError:
            return "outer"
        return "none"

    assert virtual_time.run(main()) == ends


def test_two_limits_at_the_same_time_end_the_outer_block_once() -> None:
    async def main() -> bool:
        with pytest.raises(TimeoutError), until(5), until(5):
            await asyncio.sleep(60)
        await asyncio.sleep(1)  # nothing is left that would cancel it
        task = asyncio.current_task()
        return task is not None and not task.cancelling()

    assert virtual_time.run(main())


def test_who_is_cancelled_from_outside_is_cancelled() -> None:
    async def waits() -> None:
        with within(30):
            await asyncio.sleep(60)

    async def main() -> bool:
        waiting = asyncio.ensure_future(waits())
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.wait({waiting})
        return waiting.cancelled()

    assert virtual_time.run(main())


def test_an_exception_of_the_block_is_the_block_s() -> None:
    async def main() -> None:
        with pytest.raises(KeyError), within(5):
            raise KeyError

    virtual_time.run(main())


def test_a_reminder_comes_once_and_in_time_unless_it_is_cancelled() -> None:
    async def main() -> list[float]:
        rang: list[float] = []
        Reminder(now() + 3, lambda: rang.append(now()))
        Reminder(now() + 2, lambda: rang.append(now())).cancel()
        await asyncio.sleep(10)
        return rang

    assert virtual_time.run(main()) == pytest.approx([3])


def test_a_reminder_may_ask_for_the_next_one() -> None:
    async def main() -> list[float]:
        rang: list[float] = []

        def again() -> None:
            rang.append(now())
            Reminder(now() + 3, again)

        with pytest.raises(TimeoutError), within(20):
            Reminder(now() + 3, again)
            Reminder(now() + 100, again)
            await asyncio.sleep(1_000)
        return rang

    assert virtual_time.run(main()) == pytest.approx([3, 6, 9, 12, 15, 18])


def test_many_waits_make_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> int:
        loop, made = asyncio.get_running_loop(), 0
        original = loop.call_at

        def counted(*arguments: object, **named: object) -> asyncio.TimerHandle:
            nonlocal made
            made += 1
            return original(*arguments, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(loop, "call_at", counted)
        for _ in range(100):
            with within(60), within(90):
                await asyncio.sleep(0)
        return made

    assert asyncio.run(main()) == 1


class TestWaitsOfOneTask:
    def test_each_wait_has_its_own_time_and_between_them_nothing_ends(self) -> None:
        async def main() -> list[float]:
            limits, ends = TimeLimits(), []
            for seconds in (3.0, 1.0, 2.0):
                with limits.until(now() + seconds + 0.5):
                    await asyncio.sleep(seconds)
                await asyncio.sleep(10)
                began = now()
                with pytest.raises(TimeoutError), limits.until(began + seconds):
                    await asyncio.sleep(60)
                ends.append(now() - began)
            limits.close()
            return ends

        assert virtual_time.run(main()) == pytest.approx([3, 1, 2])

    def test_after_the_last_one_nothing_waits_and_the_task_is_forgotten(self) -> None:
        async def waits() -> None:
            limits = TimeLimits()
            with limits.until(now() + 5):
                await asyncio.sleep(1)
            limits.close()
            await asyncio.sleep(100)

        async def main() -> bool:
            task = asyncio.create_task(waits())
            await task
            assert now() == pytest.approx(101)
            forgotten = weakref.ref(task)
            del task
            await asyncio.sleep(0)  # lets the loop forget whom it woke
            gc.collect()
            return forgotten() is None

        assert virtual_time.run(main())

    def test_a_limit_that_no_wait_uses_ends_nothing(self) -> None:
        async def main() -> float:
            limits = TimeLimits()
            limits.until(now() + 1)
            await asyncio.sleep(10)
            limits.close()
            return now()

        assert virtual_time.run(main()) == pytest.approx(10)

    def test_who_cancels_the_task_ends_it(self) -> None:
        async def waits() -> None:
            limits = TimeLimits()
            with limits.until(now() + 50):
                await asyncio.sleep(60)

        async def main() -> None:
            task = asyncio.create_task(waits())
            await asyncio.sleep(1)
            task.cancel()
            await task

        with pytest.raises(asyncio.CancelledError):
            virtual_time.run(main())

    def test_an_earlier_cancel_that_was_caught_is_not_counted(self) -> None:
        async def waits() -> str:
            limits = TimeLimits()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                with pytest.raises(TimeoutError), limits.until(now() + 2):
                    await asyncio.sleep(60)
            return "last words"

        async def main() -> str:
            task = asyncio.create_task(waits())
            await asyncio.sleep(1)
            task.cancel()
            return await task

        assert virtual_time.run(main()) == "last words"
