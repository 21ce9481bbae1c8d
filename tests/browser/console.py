"""A person at the console: pages, what they said, and whether everybody can use them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from playwright.sync_api import Browser, ConsoleMessage, Frame, Page, Request, expect

AXE = Path(__file__).parents[1] / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EVERY_RULE = {"type": "tag", "values": TAGS}
#: Those of them that look at colours, and at room, of which a dialog's line takes some.
COLOUR_RULES = {"type": "rule", "values": ["color-contrast", "link-in-text-block", "target-size"]}
DEMO_KEY = "Demo key"
COLD_START = 30_000  # ms: the front door's functions start with their first request
#: Until what has come was drawn, and what that asks for was asked.
TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


class Served(Protocol):
    """Where the console and the API are, and a key."""

    @property
    def base_url(self) -> str: ...

    @property
    def api_key(self) -> str: ...


@dataclass(frozen=True)
class Size:
    width: int
    height: int


class Console:
    def __init__(self, browser: Browser, server: Served, size: Size) -> None:
        self.origin = server.base_url.removesuffix("/api/v1")
        self.server = server
        self.context = browser.new_context(
            viewport={"width": size.width, "height": size.height},
            reduced_motion="reduce",
            ignore_https_errors=True,  # a test signs its own certificate
            has_touch=size.width < 500,
        )
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page: Page = self.context.new_page()
        #: Errors and violations of the policy, wherever they came from.
        self.complaints: list[str] = []
        #: Refusals that a test provokes: the browser reports them as errors. And what Chromium asks
        #: for by itself when a page is left before its own icon has come.
        self.expected: list[str] = ["/favicon.ico"]
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._asked)
        #: Requests whose answers have not ended.
        self._loading: set[Request] = set()
        self._ended = 0
        self.page.on("requestfinished", self._has_ended)
        self.page.on("requestfailed", self._has_ended)
        self.page.on("framenavigated", self._has_gone_on)

    def close(self) -> None:
        self.context.close()
        unexpected = [
            each for each in self.complaints if not any(known in each for known in self.expected)
        ]
        assert unexpected == [], unexpected

    def open(self, path: str, heading: str | None = None) -> Page:
        self.page.goto(f"{self.origin}/{path}")
        if heading is not None:
            self.page.get_by_role("heading", level=1, name=heading).wait_for()
        self.settle()
        return self.page

    def settle(self) -> None:
        """Until nothing is being loaded: no request runs, and an answer that was drawn since led to
        no other. Cheaper than Playwright's "networkidle", which waits for half a second more.
        """
        self.page.wait_for_load_state()
        while True:
            expect(self.page.locator("[aria-busy=true]")).to_have_count(0, timeout=COLD_START)
            ended = self._ended
            self.page.evaluate(TWO_FRAMES)
            if self._ended == ended and not self._loading:
                return

    def sign_in(self) -> None:
        self.open("console/signin/", "Sign in")
        self.page.get_by_role("button", name="Open the demo account").click()
        self.page.get_by_role("heading", level=1, name="Overview").wait_for()
        self.settle()

    def api(self, method: str, path: str, json: Any = None) -> Any:
        """What the console's own pages can call: from the page, with its session."""
        return self.page.evaluate(
            """async ([base, method, path, json]) => {
                const response = await fetch(`${base}/${path}`, {
                    method,
                    headers: {"x-losi-console": "1", "content-type": "application/json"},
                    body: json === null ? undefined : JSON.stringify(json),
                });
                return {status: response.status, body: await response.json().catch(() => null)};
            }""",
            [self.server.base_url, method, path, json],
        )

    def delete_keys(self) -> None:
        for key in self.api("GET", "api-keys")["body"]["data"]:
            if key["name"] != DEMO_KEY:
                self.api("DELETE", f"api-keys?id={key['id']}")

    def make_key(self, name: str, **more: Any) -> dict[str, Any]:
        body = {"name": name, "permissions": ["chat.completions", "models.list"], **more}
        made = self.api("POST", "api-keys", body)
        assert made["status"] == 200, made
        data: dict[str, Any] = made["body"]["data"]
        return data

    def violations(self, rules: dict[str, Any] = EVERY_RULE) -> list[str]:
        """What axe finds on the page as it stands."""
        self.page.evaluate("scrollTo(0, 0)")  # a bar that stays on top may hide what is beneath
        # evaluated, not added to the page: the page's policy refuses foreign scripts
        if self.page.evaluate("typeof axe === 'undefined'"):
            self.page.evaluate(AXE.read_text())
        result = self.page.evaluate(
            "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", rules
        )
        return [
            f"{each['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
            for each in result["violations"]
            for node in each["nodes"]
        ]

    def sideways(self) -> int:
        """Pixels by which the page is wider than its window."""
        wide: int = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return wide

    def focused(self) -> str:
        """What has the focus, in words."""
        words: str = self.page.evaluate(
            "(e => e === document.body ? 'BODY' : (e.getAttribute('aria-label')"
            " || document.getElementById(e.getAttribute('aria-labelledby'))?.innerText"
            " || e.labels?.[0]?.innerText || e.innerText || e.id || e.tagName).trim()"
            ")(document.activeElement)"
        )
        return " ".join(words.split())

    def tab_to(self, words: str, most: int = 60) -> None:
        """Press Tab until the focus is on what is so called."""
        for _ in range(most):
            if self.focused().startswith(words):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not reach {words!r}; the focus is on {self.focused()!r}")

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} ({message.location.get('url')})")

    def _has_ended(self, request: Request) -> None:
        self._loading.discard(request)
        self._ended += 1

    def _has_gone_on(self, frame: Frame) -> None:
        if frame.parent_frame is None:
            self._loading.clear()  # what a page asked for and was left without may never end

    def _asked(self, request: Request) -> None:
        self._loading.add(request)
        if not request.url.startswith((self.origin, "blob:", "data:")):
            self.complaints.append(f"asked another host: {request.url}")


def answering(path: str, status: int, body: object, **headers: str) -> Callable[[Page], None]:
    """What the API says from now on at this path, as only its test can bring about."""

    def route(page: Page) -> None:
        answer = {"status": status, "body": json.dumps(body), "content_type": "application/json"}
        page.route(f"**/api/v1/{path}", lambda route: route.fulfill(headers=headers, **answer))

    return route
