"""Which routes are skipped, and for how long, on a clock of the test."""

from losi.catalogue.models import Route
from losi.upstream.health import RouteHealth
from tests.catalogue import PROVIDERS

ROUTE = Route(provider=PROVIDERS["openai"], model="m")


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_the_third_failure_in_a_row_skips_a_route_for_thirty_seconds() -> None:
    clock = Clock()
    health = RouteHealth(clock)

    health.failed(ROUTE)
    health.failed(ROUTE)
    assert health.is_healthy(ROUTE)
    health.failed(ROUTE)
    assert not health.is_healthy(ROUTE)
    clock.now += 29.9
    assert not health.is_healthy(ROUTE)
    clock.now += 0.1
    assert health.is_healthy(ROUTE)


def test_one_failed_trial_skips_it_again_at_once() -> None:
    clock = Clock()
    health = RouteHealth(clock)
    for _ in range(3):
        health.failed(ROUTE)
    clock.now += 31

    health.failed(ROUTE)

    assert not health.is_healthy(ROUTE)


def test_one_success_clears_its_record() -> None:
    health = RouteHealth(Clock())
    for _ in range(3):
        health.failed(ROUTE)

    health.succeeded(ROUTE)

    assert health.is_healthy(ROUTE)
    health.failed(ROUTE)
    health.failed(ROUTE)
    assert health.is_healthy(ROUTE)
    health.succeeded(Route(provider=PROVIDERS["openai"], model="never asked"))


def test_routes_of_other_models_and_providers_are_not_blamed() -> None:
    health = RouteHealth(Clock())
    for _ in range(3):
        health.failed(ROUTE)

    assert health.is_healthy(Route(provider=PROVIDERS["openai"], model="n"))
    assert health.is_healthy(Route(provider=PROVIDERS["azure"], model="m"))
