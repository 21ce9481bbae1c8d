"""How long an upstream is waited for: until its route's time limit, or the request's deadline."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from losi.catalogue.models import Route
from losi.errors import Remedy, UpstreamTimeoutError
from losi.time_limit import until

T = TypeVar("T")


class OutlastedError(UpstreamTimeoutError):
    """We stopped waiting; the provider may still be answering."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for an upstream: its route's limit, but never beyond the deadline."""

    seconds: float
    what: str
    route: Route
    deadline: float

    def end(self) -> float:
        """Until when to wait from now on, in the loop's time."""
        return min(asyncio.get_running_loop().time() + self.seconds, self.deadline)

    async def wait(self, answer: Awaitable[T]) -> T:
        """Wait for a single answer."""
        try:
            with until(self.end()):
                return await answer
        except TimeoutError as error:
            raise self.outlasted() from error

    def outlasted(self) -> OutlastedError:
        """After a TimeoutError: whether the deadline has come, or the route was too slow."""
        if asyncio.get_running_loop().time() >= self.deadline:
            return OutlastedError(
                "The completion took longer than one request may. Ask for fewer tokens.",
                code="deadline_exceeded",
                remedy=Remedy.NOTHING,
                headers={"x-should-retry": "false"},  # SDKs would spend as long again, twice
            )
        return OutlastedError(
            f"{self.route.provider.name} took longer than {self.seconds:g} s "
            f"for {self.what}. Try again."
        )
