"""Generated schedules of faults: nothing is lost, doubled or held by nobody."""

from __future__ import annotations

import pytest

from tests import virtual_time
from tests.fault_world import World
from tests.ledger_invariants import check_items


def run(seed: int) -> World:
    world = World(seed)
    virtual_time.run(world.live())
    return world


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_nothing_is_lost_doubled_or_held_by_nobody(first: int) -> None:
    for seed in range(first, first + 10):
        world = run(seed)
        assert world.mistakes() == [], (seed, world.faults)
        check_items(list(world.table.items.values()))
