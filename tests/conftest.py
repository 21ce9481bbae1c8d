"""What holds for every test, and where the fixtures are that every test may ask for."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

import tests.quick_boto3  # noqa: F401
from losi.catalogue import loader
from tests.catalogue import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = [
    "tests.dynamodb_local",
    "tests.deployment",
    "tests.parallel",
    "tests.in_process",
]


gc.disable()  # until all tests are collected

# no example is too slow: on a busy machine any may be
settings.register_profile(
    "losi",
    max_examples=150 if os.environ.get("CI") else 10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("losi")


def pytest_collection_finish() -> None:
    """Thousands of tests and their modules stay to the end: no collector need look through them."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def catalogue_of_the_tests() -> Iterator[None]:
    """What runs in this process loads the tests' catalogue where it would load the operator's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loader, "FOLDERS", (FOLDER,))
        yield
