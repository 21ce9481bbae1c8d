"""Whether the same is asked once more, and after which pause."""

import pytest

from losi.errors import Remedy, UpstreamError
from losi.upstream.backoff import pause_before_another

PASSING, WITHOUT_PAUSE = UpstreamError("No."), UpstreamError("No.", retry_after=0)


def test_a_pause_of_our_own_is_a_quarter_of_a_second_more_or_less() -> None:
    pauses = [pause_before_another(PASSING, 0) for _ in range(200)]

    assert all(pause is not None and 0.125 <= pause <= 0.375 for pause in pauses)
    assert len(set(pauses)) > 1  # not all at once again


@pytest.mark.parametrize(
    ("asked", "pause"), [(0, 0), (0.5, 0.5), (5, 5), (5.001, None), (3_600, None)]
)
def test_what_the_provider_asks_for_is_kept_up_to_five_seconds(
    asked: float, pause: float | None
) -> None:
    assert pause_before_another(UpstreamError("No.", retry_after=asked), 0) == pause


def test_the_same_is_asked_twice_at_most() -> None:
    assert pause_before_another(WITHOUT_PAUSE, 1) is None
    assert pause_before_another(WITHOUT_PAUSE, 2) is None


@pytest.mark.parametrize("remedy", [one for one in Remedy if one is not Remedy.SAME_ROUTE])
def test_it_is_not_asked_again_where_that_helps_nobody(remedy: Remedy) -> None:
    error = UpstreamError("No.", retry_after=0, remedy=remedy)
    assert pause_before_another(error, 0) is None
