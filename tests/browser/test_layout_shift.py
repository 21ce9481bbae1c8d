"""Nothing jumps while a page loads, also when the API is slow: layout shift as Chromium counts it.

https://web.dev/articles/cls
"""

from __future__ import annotations

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


PAINTED = """() => new Promise(resolve => {
    new PerformanceObserver(list => {
        if (list.getEntriesByName("first-contentful-paint").length) resolve();
    }).observe({type: "paint", buffered: true});
})"""


class AfterPaint:
    """Holds the answers of the API until the page has been painted without them."""

    def __init__(self) -> None:
        self._held: list[Route] = []
        self._painted = False
        self.were_held = False

    def __call__(self, route: Route) -> None:
        if self._painted:
            route.continue_()
        else:
            self._held.append(route)

    def open(self, console: Console, path: str, heading: str) -> None:
        self._painted = False
        page = console.page
        page.goto(f"{console.origin}/{path}")
        page.evaluate(PAINTED)
        self.were_held |= bool(self._held)
        self._painted = True
        while self._held:
            self._held.pop().continue_()
        page.get_by_role("heading", level=1, name=heading).wait_for()
        console.settle()


def test_nothing_jumps(console: Console) -> None:
    answers = AfterPaint()
    console.context.add_init_script(COUNT)
    console.page.route("**/api/v1/**", answers)
    shifted = {}
    for path, heading in PAGES.items():
        answers.open(console, path, heading)
        shifted[path] = console.page.evaluate("window.shifted")

    assert answers.were_held
    assert {path: shift for path, shift in shifted.items() if shift > MOST} == {}
