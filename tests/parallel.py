"""How tests share a machine when `pytest -n auto --dist loadgroup` runs them side by side.

A group runs in one worker. What a session sets up once (builds and a Docker daemon, a database
server, the server of `make run`) makes one group of all tests that ask for it, so that it is set up
once; otherwise the tests of a file are one. These large groups come first, so that at the end small
ones are left to share (with `--no-loadscope-reorder`). `tests/conftest.py` registers this module.
"""

from __future__ import annotations

from pathlib import Path

import pytest

#: Fixture -> group; the first one that a test asks for counts.
GROUPS = {
    "sam_build": "docker",
    "docker_environment": "docker",
    "dynamodb_endpoint": "dynamodb",
    "chromium": "browser",  # whose server is its own
    "server": "server",
}
FIRST = list(dict.fromkeys(GROUPS.values()))
#: Seconds for tests that start processes, containers and builds. It is there to end a hang.
PATIENCE = {"integration": 600, "e2e": 900, "browser": 600}

TESTS = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
        seconds = PATIENCE.get(item.path.relative_to(TESTS).parts[0])
        if seconds and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(seconds))
    items.sort(key=_turn)


def _group(item: pytest.Item) -> str:
    fixtures = getattr(item, "fixturenames", ())
    return next((name for fixture, name in GROUPS.items() if fixture in fixtures), item.path.stem)


def _turn(item: pytest.Item) -> int:
    return [*FIRST, group := _group(item)].index(group)
