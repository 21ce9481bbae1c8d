"""Every state of a page: axe finds nothing, nothing is cut, at every size and in every theme."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.console import Console, Size, answering
from tests.browser.faults import SIZES, faults

pytestmark = pytest.mark.timeout(300)


def _dialog(opener: str) -> Callable[[Console], None]:
    def opened(console: Console) -> None:
        page = console.open("console/settings/api/", "Manage API keys")
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name="CI"))
        row.locator("summary").click()
        if opener:
            row.get_by_role("button", name=opener).click()
            page.locator("dialog").wait_for()

    return opened


def _access(console: Console) -> None:
    page = console.open("console/settings/", "Profile settings")
    page.get_by_role("switch").click()
    page.get_by_role("alertdialog").wait_for()


def _delete_account(console: Console) -> None:
    page = console.open("console/settings/", "Profile settings")
    page.get_by_role("button", name="Delete account").click()
    page.get_by_role("alertdialog").wait_for()


def _secret(console: Console) -> None:
    page = console.open("console/settings/api/new/", "Create a key")
    page.keyboard.type("shown")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Send a test request").click()
    page.get_by_text("Your key works.").wait_for()
    page.get_by_role("button", name="Done").click()


def _usage_error(console: Console) -> None:
    page = console.open("console/usage/", "API usage statistics")
    page.get_by_label("From").fill("2020-01-01")
    page.get_by_role("button", name="Apply").click()
    page.get_by_text("at most 400 are answered").wait_for()


def _no_usage(console: Console) -> None:
    page = console.open("console/usage/?from=2020-01-01&to=2020-01-31", "API usage statistics")
    page.get_by_role("heading", name="No usage from 1 Jan 2020 to 31 Jan 2020").wait_for()


def _api_down(console: Console) -> None:
    console.expected.append("503")
    error = '{"error": {"message": "The service cannot reach its database.", "code": "x"}}'
    console.page.route(
        "**/api/v1/api-usage*",
        lambda route: route.fulfill(status=503, body=error, content_type="application/json"),
    )
    page = console.open("console/usage/", "API usage statistics")
    page.get_by_role("heading", name="Usage could not be loaded").wait_for()
    page.unroute("**/api/v1/api-usage*")


def _answer(console: Console) -> None:
    page = console.open("console/playground/", "Playground")
    page.get_by_label("Message 2", exact=True).fill(
        "[[sandbox:say=# Hi\n\n- **bold** and `code`\n\n1 < 2]]"
    )
    page.get_by_role("button", name="Send", exact=True).click()
    page.get_by_role("button", name="Formatted").click()
    page.locator(".formatted").wait_for()
    assert "# Hi" not in page.locator(".answer").inner_text()  # one form or the other, not both


def _search(console: Console) -> None:
    page = console.open("docs/", "API documentation")
    page.keyboard.press("/")
    page.keyboard.type("temprature")
    page.get_by_role("option").first.wait_for()


def _parts(console: Console) -> None:
    page = console.open("docs/reference/create-a-chat-completion/")
    for fold in page.locator("details").all():
        fold.evaluate("fold => fold.open = true")


def _refused(directive: str, title: str) -> Callable[[Console], None]:
    """The playground says what a limit means, and what a program gets."""

    def refused(console: Console) -> None:
        console.expected.append("429")
        page = console.open("console/playground/", "Playground")
        page.get_by_label("Message 2", exact=True).fill(directive)
        page.get_by_role("button", name="Send", exact=True).click()
        page.get_by_role("heading", name=title).wait_for()
        page.get_by_text("What a program gets").click()

    return refused


def _limits(used: int, held: int) -> Callable[[Console], None]:
    def shown(console: Console) -> None:
        day = {"tokens": {"used": used, "held": held, "limit": 1000}}
        minute = {"requests": {"used": 9, "limit": 10}, "tokens": {"used": 0, "limit": 1}}
        data = {"day": day, "minute": minute, "running": {"used": 1, "limit": 2}}
        answering("limits", 200, {"data": data})(console.page)
        console.api(
            "POST",
            "chat/completions",
            {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]},
        )
        page = console.open("console/", "Overview")
        page.get_by_role("meter", name="Tokens").wait_for()
        page.unroute("**/api/v1/limits")

    return shown


def _no_permission(console: Console) -> None:
    console.expected.append("403")
    error = {"message": "This key lacks the permission 'usage.read'.", "code": "missing_permission"}
    answering("api-usage*", 403, {"error": error})(console.page)
    page = console.open("console/usage/", "API usage statistics")
    page.get_by_role("heading", name="Your sign-in cannot see this").wait_for()
    page.unroute("**/api/v1/api-usage*")


def _session_over(console: Console) -> None:
    console.expected.append("401")
    error = {"message": "Your session has ended. Sign in again.", "code": "session_expired"}
    page = console.open("console/settings/api/new/", "Create a key")
    answering("api-keys", 401, {"error": error})(page)
    page.get_by_label("Name").fill("CI 2")
    page.get_by_role("button", name="Create key").click()
    page.get_by_role("heading", name="Sign in again to go on").wait_for()
    page.unroute("**/api/v1/api-keys")


def _key_limit(console: Console) -> None:
    console.delete_keys()
    for number in range(9):  # beside the demo key
        console.make_key(f"key {number}")
    page = console.open("console/settings/api/new/", "Create a key")
    page.get_by_role("heading", name="You have 10 of 10 keys").wait_for()


def _offline(console: Console) -> None:
    console.open("console/usage/", "API usage statistics")
    console.context.set_offline(True)
    console.page.get_by_role("heading", name="You are offline").wait_for()


STATES = {
    "actions": _dialog(""),
    "rotate": _dialog("Rotate key"),
    "delete": _dialog("Delete key"),
    "rename": _dialog("Rename key"),
    "access-dialog": _access,
    "delete-account": _delete_account,
    "secret": _secret,
    "usage-error": _usage_error,
    "no-usage": _no_usage,
    "api-down": _api_down,
    "answer": _answer,
    "search": _search,
    "parts": _parts,
    "rate-limited": _refused(
        "[[sandbox:error=429]] [[sandbox:retry_after=30s]]", "The limit of this minute is reached"
    ),
    "quota-reached": _refused("[[sandbox:error=quota]]", "Today's tokens are used up"),
    "limits-at-80": _limits(850, 50),
    "limits-used-up": _limits(1000, 0),
    "no-permission": _no_permission,
    "session-over": _session_over,
    "key-limit": _key_limit,
    "offline": _offline,  # the last: what follows would be offline too
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size.width))
def test_states(open_console: type[Console], size: Size, screenshots: Path) -> None:
    console = open_console(size)  # type: ignore[call-arg, arg-type]
    console.sign_in()
    console.delete_keys()
    console.make_key("CI")
    console.page.on("dialog", lambda dialog: dialog.accept())
    found = {}
    for name, bring_about in STATES.items():
        bring_about(console)
        found[name] = faults(console, f"{screenshots}/state-{name}-{size.width}", False)

    assert {name: faults for name, faults in found.items() if faults} == {}
