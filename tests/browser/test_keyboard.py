"""Each flow without a mouse: Tab, Enter, Space, Escape, arrows; the focus is never lost."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.console import Console, Size

pytestmark = pytest.mark.timeout(300)


def press(console: Console, words: str, key: str = "Enter") -> None:
    """Go on with Tab to what is so called, and press it there."""
    console.tab_to(words)
    console.page.keyboard.press(key)


def test_signing_in_and_out(open_console: type[Console]) -> None:
    console = open_console()  # type: ignore[call-arg]
    page = console.open("console/signin/", "Sign in")
    press(console, "Open the demo account")
    page.get_by_role("heading", level=1, name="Overview").wait_for()
    console.settle()
    press(console, "Sign out")
    page.get_by_text("You are signed out.").wait_for()


def test_signing_in_with_a_key(open_console: type[Console]) -> None:
    console = open_console()  # type: ignore[call-arg]
    page = console.open("console/signin/", "Sign in")
    press(console, "Use an API key")
    console.tab_to("API key")
    page.keyboard.type(console.server.api_key)
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1, name="Overview").wait_for()


def test_a_key_is_made_copied_and_deleted(console: Console) -> None:
    page = console.open("console/settings/api/", "Manage API keys")
    press(console, "Create key")
    page.get_by_role("heading", name="Create a key").wait_for()
    console.settle()
    assert console.focused() == "Name"
    page.keyboard.type("By keyboard")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Save your key now").wait_for()
    assert console.focused() == "Save your key now"
    press(console, "Copy API key")
    assert str(page.evaluate("navigator.clipboard.readText()")).startswith("losi-")
    press(console, "I have saved this key", "Space")
    press(console, "Done")
    page.get_by_role("heading", level=1, name="Manage API keys").wait_for()
    console.settle()

    press(console, "Actions for By keyboard")
    press(console, "Delete key")
    assert console.focused() == "Keep key"
    page.keyboard.press("Escape")
    assert console.focused() == "Actions for By keyboard"
    page.keyboard.press("Enter")
    press(console, "Delete key")
    press(console, "Delete key")
    page.get_by_text("Key “By keyboard” is deleted.").wait_for()
    assert console.focused() == "Manage API keys"


def test_the_playground(console: Console) -> None:
    page = console.open("console/playground/", "Playground")
    console.tab_to("Message 2")
    page.keyboard.press("Control+A")
    page.keyboard.type("[[sandbox:delay=200ms]] [[sandbox:tokens=400]]")
    press(console, "Send")
    page.get_by_role("button", name="Stop").wait_for()
    assert console.focused() == "Stop"
    page.keyboard.press("Escape")
    page.get_by_text("You stopped the answer.").wait_for()
    assert console.focused() == "Send"


def test_usage_is_filtered_and_read(console: Console) -> None:
    page = console.open("console/usage/", "API usage statistics")
    press(console, "7 days")
    chip = page.get_by_role("link", name="7 days")
    expect(chip).to_have_attribute("aria-current", "true")
    console.settle()
    console.tab_to("by")
    page.keyboard.press("M")  # a select goes to the option of that letter
    page.wait_for_url("**by=Model*")
    console.settle()
    assert console.focused() != "BODY"


def test_the_switch_of_api_access(console: Console) -> None:
    page = console.open("console/settings/", "Profile settings")
    press(console, "API access", "Space")
    assert console.focused() == "Leave it on"
    press(console, "Turn off API access")
    page.get_by_role("heading", name="API access is off").wait_for()
    assert console.focused() != "BODY"
    switch = page.get_by_role("switch", name="API access")
    console.tab_to("API access")
    page.keyboard.press("Space")
    expect(switch).to_have_attribute("aria-checked", "true")


def test_docs_are_searched(open_console: type[Console]) -> None:
    console = open_console(Size(390, 844))  # type: ignore[call-arg, arg-type]
    page = console.open("docs/", "API documentation")
    page.keyboard.press("/")
    page.keyboard.type("rotate")
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/docs/*/**")
