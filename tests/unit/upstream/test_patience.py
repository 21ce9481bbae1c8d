"""Who waits for an upstream is told whose time was up: the route's or the request's."""

from __future__ import annotations

import asyncio

import pytest

from losi.catalogue.models import Route
from losi.errors import Remedy
from losi.upstream.patience import OutlastedError, Patience
from tests import virtual_time
from tests.catalogue import PROVIDERS

ROUTE = Route(provider=PROVIDERS["openai"], model="m")


def outlasted(seconds: float, deadline: float) -> tuple[OutlastedError, float]:
    """The error of a wait that begins at 0 and would take a minute, and when it came."""

    async def main() -> tuple[OutlastedError, float]:
        patience = Patience(seconds, "its answer", ROUTE, deadline)
        with pytest.raises(OutlastedError) as caught:
            await patience.wait(asyncio.sleep(60))
        return caught.value, asyncio.get_running_loop().time()

    return virtual_time.run(main())


def test_a_route_is_waited_for_as_long_as_its_limit() -> None:
    error, when = outlasted(seconds=3, deadline=5)

    assert when == pytest.approx(3)
    assert error.message == "OpenAI took longer than 3 s for its answer. Try again."
    assert error.remedy is not Remedy.NOTHING


@pytest.mark.parametrize("seconds", [5, 10])
def test_but_never_beyond_the_deadline_which_leaves_nothing_to_try(seconds: float) -> None:
    error, when = outlasted(seconds=seconds, deadline=5)

    assert when == pytest.approx(5)
    assert (error.code, error.remedy) == ("deadline_exceeded", Remedy.NOTHING)
    assert error.headers["x-should-retry"] == "false"


def test_what_comes_in_time_is_returned() -> None:
    async def main() -> str:
        return await Patience(3, "its answer", ROUTE, 5).wait(asyncio.sleep(2, "there"))

    assert virtual_time.run(main()) == "there"
