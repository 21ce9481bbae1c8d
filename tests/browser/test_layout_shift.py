"""Nothing jumps while a page loads, also when the API is slow: layout shift as Chromium counts it.

https://web.dev/articles/cls
"""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Route

from tests.browser.console import Console
from tests.browser.test_pages import PAGES

pytestmark = pytest.mark.timeout(300)
MOST = 0.02
COUNT = """
window.shifted = 0;
new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({type: "layout-shift", buffered: true});
"""


def slowly(route: Route) -> None:
    time.sleep(0.3)  # what the test is about: an answer that comes after the page has been painted
    route.continue_()


def test_nothing_jumps(console: Console) -> None:
    console.context.add_init_script(COUNT)
    console.page.route("**/api/v1/**", slowly)
    shifted = {}
    for path, heading in PAGES.items():
        page = console.open(path, heading)
        shifted[path] = page.evaluate("window.shifted")

    assert {path: shift for path, shift in shifted.items() if shift > MOST} == {}
