"""The collector looks rarely, and only through what requests have made."""

import gc
from collections.abc import Iterator

import pytest

from losi import garbage


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The collector of the tests' own process."""
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)


def test_what_was_loaded_is_not_looked_through() -> None:
    loaded = [object() for _ in range(100)]

    garbage.look_less_often()

    assert not any(found is loaded for found in gc.get_objects())


def test_young_objects_are_looked_at_once_for_several_requests() -> None:
    _, older, oldest = gc.get_threshold()

    garbage.look_less_often()

    assert gc.get_threshold() == (10_000, older, oldest)
