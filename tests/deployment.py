"""What `sam build` makes, and the Docker to run it in; both once per session.

`tests/conftest.py` registers this module as a plugin, so every test can ask for:

    sam_build            builds for an architecture, the first time it is asked to
    docker_environment   what docker's clients need in their environment; the Lambda image is there
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from local.docker import DockerUnavailableError, docker, ensure_image
from local.python313 import Python313MissingError, python313_environment
from local.sam import SamFailedError, build, executable
from tests.obtain import skip_or_fail

Build = Callable[[str], Path]


def logical_id(function: str) -> str:
    """What template.yaml calls a function of `functions/`: ApiKeysFunction for api_keys."""
    return "".join(word.title() for word in function.split("_")) + "Function"


@pytest.fixture(scope="session")
def sam_build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """From an architecture to its build folder, which has its name."""
    try:
        executable()
        python313_environment()
    except (SamFailedError, Python313MissingError) as error:
        skip_or_fail(str(error))
    folder = tmp_path_factory.mktemp("sam")

    @cache
    def build_once(architecture: str) -> Path:
        return build(folder / architecture, architecture).parent

    return build_once


@pytest.fixture(scope="session")
def docker_environment() -> Iterator[dict[str, str]]:
    """Skips where Docker cannot run, in CI too: that is not a thing to install."""
    try:
        with docker() as environment:
            ensure_image(environment)
            yield environment
    except DockerUnavailableError as error:
        pytest.skip(str(error))
