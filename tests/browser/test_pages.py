"""Every page: axe finds nothing, nothing is cut, and it holds at every size and theme."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.browser.console import Console, Size, answering
from tests.browser.faults import SIZES, faults
from tests.e2e.server import Server

pytestmark = pytest.mark.timeout(300)

PAGES = {
    "console/": "Overview",
    "console/playground/": "Playground",
    "console/usage/": "API usage statistics",
    "console/settings/": "Profile settings",
    "console/settings/api/": "Manage API keys",
    "console/settings/api/new/": "Create a key",
    "console/settings/api/leaked/": "Is a key leaked?",
    "console/settings/sessions/": "Sessions",
    "console/settings/audit/": "Audit log",
    "console/models/": "Models",
    "console/deleted/": "The account is deleted",
    "docs/": "API documentation",
    "docs/api-access/": "API access",
    "docs/errors/": "Error handling",
    "docs/agents/": "Agents",
    "docs/limits/": "Rate limits and quotas",
    "docs/models/": "Models",
    "docs/reference/create-a-chat-completion/": "Create a chat completion",
    "docs/contents/": "All headings",
}
ROOT = Path(__file__).parents[2]
FAILS = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "[[sandbox:error=500]]"}],
}
LONG = "W" * 60 + " " + "wide " * 7


@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size.width))
def test_pages(open_console: type[Console], size: Size, screenshots: Path) -> None:
    console = open_console(size)  # type: ignore[call-arg, arg-type]
    found: dict[str, list[str]] = {}
    console.open("console/signin/", "Sign in")
    found["console/signin/"] = faults(console, f"{screenshots}/signin-{size.width}", True)
    console.sign_in()
    console.delete_keys()
    console.make_key(LONG)
    console.make_key("<img src=x onerror=alert(1)>", test=True)
    for path, heading in PAGES.items():
        console.open(path, heading)
        name = path.strip("/").replace("/", "-")
        found[path] = faults(console, f"{screenshots}/{name}-{size.width}", True)

    assert {path: faults for path, faults in found.items() if faults} == {}


@pytest.mark.parametrize("width", [320, 640], ids=["320", "zoomed to 200 %"])
def test_nothing_is_cut_where_the_window_is_narrow(open_console: type[Console], width: int) -> None:
    """A browser zoomed to 200 % has half of its 1280 pixels left (WCAG 1.4.4 and 1.4.10)."""
    console = open_console(Size(width, 640))  # type: ignore[call-arg, arg-type]
    console.sign_in()
    console.delete_keys()
    console.make_key(LONG)
    wide = {}
    for path, heading in PAGES.items():
        console.open(path, heading)
        wide[path] = console.sideways()

    assert {path: pixels for path, pixels in wide.items() if pixels > 0} == {}


def test_docs_are_read_without_script(open_console: type[Console], chromium: object) -> None:
    console = open_console()  # type: ignore[call-arg]
    context = console.context.browser.new_context(java_script_enabled=False)  # type: ignore[union-attr]
    page = context.new_page()
    page.goto(f"{console.origin}/docs/api-access/")
    assert page.get_by_text("client.chat.completions.create").first.is_visible()
    assert page.get_by_text("await openai.chat.completions.create").first.is_visible()
    page.goto(f"{console.origin}/console/usage/")
    assert page.get_by_text("The console needs JavaScript").is_visible()
    assert page.get_by_role("link", name="API keys").is_visible()
    context.close()


def test_the_docs_speak_of_the_reader_s_own_address_and_key(console: Console) -> None:
    page = console.open("docs/api-access/", "API access")
    sample = page.locator(".samples [data-language]:visible pre").first
    assert f"{console.origin}/api/v1/chat/completions" in sample.inner_text()
    page.get_by_text("Use my key").click()
    page.get_by_label("API key").fill("losi-mine")
    assert "Bearer losi-mine" in sample.inner_text()
    page.get_by_role("button", name="Copy").first.click()
    assert "losi-mine" not in page.evaluate("navigator.clipboard.readText()")

    page.get_by_role("tab", name="Python").first.click()
    console.open("docs/streaming/", "Streaming")
    assert page.get_by_role("tab", name="Python").get_attribute("aria-selected") == "true"
    assert "losi-mine" not in page.content()


def test_an_endpoint_is_tried_on_its_own_page(console: Console) -> None:
    page = console.open("docs/reference/create-a-chat-completion/", "Create a chat completion")
    page.get_by_text("Try it").click()
    page.get_by_role("button", name="Send").click()
    assert console.focused() == "API key"
    page.keyboard.type(console.server.api_key)
    page.get_by_role("button", name="Send").click()
    page.get_by_text("200 in").wait_for()
    assert '"object": "chat.completion"' in page.get_by_role("region", name="Answer").inner_text()

    body = '{"model": "gpt-4o", "stream": true, "messages": [{"role": "user", "content": "Hi"}]}'
    page.get_by_label("Body").fill(body)
    page.get_by_role("button", name="Send").click()
    page.get_by_text("data: [DONE]").wait_for()
    assert console.violations() == [] and console.sideways() == 0
    assert console.server.api_key not in page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, location.href])"
    )


def test_an_error_s_code_has_an_anchor(console: Console) -> None:
    page = console.open("docs/errors/#key_expired", "Error handling")
    assert page.locator("code:target").inner_text() == "key_expired"


def test_an_unknown_page_helps(console: Console) -> None:
    console.expected.append("404")
    page = console.open("console/keyz")
    assert page.get_by_role("heading", name="There is no page at /console/keyz").is_visible()
    assert console.violations() == []
    console.open("v1/chat/completions")
    assert page.get_by_text("/api/v1/chat/completions", exact=True).is_visible()


def test_an_operator_s_pages(
    open_console: type[Console], server: Server, size: Size, screenshots: Path
) -> None:
    console = open_console(size)  # type: ignore[call-arg, arg-type]
    console.sign_in()
    account = console.api("GET", "profile")["body"]["data"]["id"]
    for switch in ("on", "off"):
        subprocess.run(
            [sys.executable, "-m", "losi.cli", "account", "operator", account, switch],
            cwd=server.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT / "shared")},
            check=True,
            capture_output=True,
        )
        if switch == "off":
            break
        _see_routes(console, screenshots, size.width)
        page = console.open("console/operator/accounts/", "Accounts")
        assert console.violations() == [] and console.sideways() == 0
        page.screenshot(path=screenshots / f"operator-accounts-{size.width}.png", full_page=True)
        page.get_by_role("link", name="Demo").click()
        page.get_by_role("heading", name="Operator view of Demo").wait_for()
        console.settle()
        assert console.violations() == [] and console.sideways() == 0
        page.get_by_label("Plan", exact=True).select_option("pro")
        page.get_by_role("button", name="Change plan").click()
        assert console.focused() == "Keep Ultra"
        assert console.violations() == []
        page.screenshot(path=screenshots / f"operator-account-{size.width}.png")
        page.keyboard.press("Escape")
        assert page.get_by_role("dialog").count() == 0


def _see_routes(console: Console, screenshots: Path, width: int) -> None:
    """As the server counted them, one that fails, and a stack that counts nothing by route."""
    console.expected.append("status of 50")
    console.api("POST", "chat/completions", FAILS)
    page = console.open("console/", "Overview")
    if not page.get_by_role("link", name="Routes").is_visible():
        page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Routes").click()
    row = page.get_by_role("row").filter(has_text="sandbox/losi-sandbox")
    row.get_by_text(re.compile(r"[1-9]\d* failed")).first.wait_for()

    counted = {"calls": 4, "failures": 3}
    route = {"route": "openai/gpt-4o", "models": ["gpt-4o"], "hour": counted, "day": counted}
    failing = {"source": "log", "routes": [{**route, "state": "failing"}]}
    answering("operator/routes", 200, {"data": failing})(page)
    page = console.open("console/operator/routes/", "Routes")
    page.get_by_text("Failing", exact=True).wait_for()
    page.get_by_role("heading", name="What to do about a failing route").wait_for()
    _looks_right(console, screenshots / f"operator-routes-{width}.png")
    page.unroute("**/api/v1/operator/routes")

    message = "Deploy with the parameter Metrics=details."
    off: dict[str, Any] = {"source": None, "message": message, "routes": []}
    answering("operator/routes", 200, {"data": off})(page)
    page = console.open("console/operator/routes/", "Routes")
    page.get_by_text("Metrics=details").wait_for()
    _looks_right(console, screenshots / f"operator-routes-off-{width}.png")
    page.unroute("**/api/v1/operator/routes")


def _looks_right(console: Console, screenshot: Path) -> None:
    console.settle()
    assert console.violations() == [] and console.sideways() == 0
    console.page.screenshot(path=screenshot, full_page=True)


def test_where_help_is_needed_it_says_who_helps(open_console: type[Console]) -> None:
    console = open_console()  # type: ignore[call-arg]
    address = "support@losi.local"  # `make run` names one of its own
    page = console.open("console/signin/?error=no_account", "Sign in")
    refusal = page.get_by_role("alert").get_by_role("link", name=address)
    assert refusal.get_attribute("href") == f"mailto:{address}"
    page = console.open("docs/support/", "Support")
    page.get_by_role("link", name=address).wait_for()
