"""Tests that share what a session sets up run in one worker (tests/parallel.py)."""

import os

import pytest


def test_a_worker_of_pytest_xdist_knows_the_group_of_a_test(request: pytest.FixtureRequest) -> None:
    in_worker = "PYTEST_XDIST_WORKER" in os.environ

    # xdist reads groups from node ids: where they are missing, it ignores them without a word
    assert request.node.nodeid.endswith("@test_parallel") is in_worker
