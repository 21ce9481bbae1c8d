"""Headless Chromium on `make run`'s own server: what a page says in its console fails the test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.console import Console, Size
from tests.dynamodb_local import free_port
from tests.e2e.server import Server, running_server
from tests.obtain import skip_or_fail

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("console"), free_port()) as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser a file: Playwright's event loop would disturb asynchronous tests after it."""
    path = shutil.which("chromium")
    if path is None:
        skip_or_fail("Chromium is missing. On Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(params=["1280", "390"])
def size(request: pytest.FixtureRequest) -> Size:
    return Size(1280, 800) if request.param == "1280" else Size(390, 844)


@pytest.fixture
def open_console(chromium: Browser, server: Server) -> Iterator[type[Console]]:
    """A factory of consoles, each in a browser profile of its own; all are checked at the end."""
    made: list[Console] = []

    class Opened(Console):
        def __init__(self, size: Size = Size(1280, 800)) -> None:  # noqa: B008
            super().__init__(chromium, server, size)
            made.append(self)

    yield Opened
    for console in made:
        console.close()


@pytest.fixture
def console(open_console: type[Console], size: Size) -> Console:
    """Signed in as the demo account, with an empty drawer: keys of other tests are gone."""
    opened = open_console(size)  # type: ignore[call-arg, arg-type]
    opened.sign_in()
    opened.delete_keys()
    return opened


@pytest.fixture(scope="session")
def screenshots() -> Path:
    folder = Path(__file__).parents[2] / ".losi" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
