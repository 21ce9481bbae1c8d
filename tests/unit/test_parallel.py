"""Tests that share what a session sets up run in one worker (tests/parallel.py)."""

import pytest


def test_a_worker_of_pytest_xdist_knows_the_group_of_a_test(request: pytest.FixtureRequest) -> None:
    by_group = getattr(request.config.option, "loadgroup", False)

    # xdist reads groups from node ids: where they are missing, it ignores them without a word
    assert request.node.nodeid.endswith("@test_parallel") is by_group
