"""What people come for, start to end, at a desk and on a phone."""

from __future__ import annotations

import re
import time

import pytest

from tests.browser.console import Console

pytestmark = pytest.mark.timeout(300)


def test_from_nothing_to_a_key_a_completion_and_its_bar_in_under_two_minutes(
    console: Console,
) -> None:
    began = time.monotonic()
    page = console.page

    console.open("console/settings/api/new/", "Create a key")
    assert console.focused() == "Name"
    page.keyboard.type("My first key")
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1, name="Save your key now").wait_for()
    secret = page.locator(".code pre").first.inner_text()
    assert secret.startswith("losi-")
    page.get_by_role("button", name="Send a test request").click()
    page.get_by_text("Your key works.").wait_for()
    page.get_by_role("link", name="See it in Usage").click()
    page.get_by_role("heading", level=1, name="API usage statistics").wait_for()
    page.locator(".plot svg g rect.s1").first.wait_for()

    readout = page.get_by_role("slider").get_attribute("aria-valuetext") or ""
    assert "(today)" in readout and re.search(r"[1-9]\d* requests?", readout)
    assert readout.endswith("$0.00")  # what the sandbox answers costs nothing
    assert time.monotonic() - began < 120


def test_a_key_is_shown_once_and_not_left_unsaved(console: Console) -> None:
    page = console.page
    console.open("console/settings/api/new/", "Create a key")
    page.get_by_label("Name").fill("CI")
    page.get_by_role("button", name="Create key").click()
    page.get_by_role("heading", name="Save your key now").wait_for()
    assert console.focused() == "Save your key now"
    secret = page.locator(".code pre").first.inner_text()

    page.get_by_role("button", name="Done").click()
    page.get_by_text("Copy the key and save it first").wait_for()
    page.get_by_role("button", name="Copy API key").click()
    assert page.evaluate("navigator.clipboard.readText()") == secret
    page.get_by_label("I have saved this key").check()
    page.get_by_role("button", name="Done").click()
    page.get_by_role("heading", level=1, name="Manage API keys").wait_for()
    console.settle()

    assert secret not in page.content()
    everything = page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.title, location.href])"
    )
    assert secret not in everything and secret[5:30] not in everything


def test_what_is_missing_is_said_beside_the_field_and_on_top(console: Console) -> None:
    page = console.page
    console.open("console/settings/api/new/", "Create a key")
    page.get_by_label("Choose", exact=True).check()
    for box in page.get_by_role("checkbox").all():
        box.uncheck()
    page.get_by_role("button", name="Create key").click()

    summary = page.get_by_role("alert").filter(has_text="There is a problem")
    summary.wait_for()
    assert page.title().startswith("Error: ")
    assert "Choose at least one permission" in summary.inner_text()
    summary.get_by_role("link", name="Enter a name for the key").click()
    assert console.focused() == "Name"
    assert page.get_by_label("Name").get_attribute("aria-invalid") == "true"
    assert console.violations() == []


def test_a_key_is_renamed_rotated_disabled_enabled_and_deleted(console: Console) -> None:
    page = console.page
    console.make_key("CI")
    console.open("console/settings/api/", "Manage API keys")

    def act(name: str) -> None:
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name="CI"))
        row.locator("summary").click()
        row.get_by_role("button", name=name).click()

    act("Rename key")
    page.get_by_role("dialog").get_by_label("Name").fill("CI 2")
    page.get_by_role("button", name="Rename key").last.click()
    page.get_by_text("The key is called “CI 2” now.").wait_for()

    act("Rotate key")
    page.get_by_role("dialog").get_by_label("1 hour").check()
    page.get_by_role("dialog").get_by_role("button", name="Rotate key").click()
    page.get_by_role("heading", name="Save your key now").wait_for()
    page.get_by_label("I have saved this key").check()
    page.get_by_role("button", name="Done").click()

    act("Disable key")
    page.get_by_text("Key “CI 2” is disabled. Calls with it are refused from now on.").wait_for()
    act("Enable key")
    page.get_by_text("Key “CI 2” is enabled.").wait_for()

    act("Delete key")
    dialog = page.get_by_role("alertdialog")
    dialog.wait_for()
    assert console.focused() == "Keep key"  # the safe choice
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    assert console.focused() == "Actions for CI 2"
    act("Delete key")
    page.get_by_role("alertdialog").get_by_role("button", name="Delete key").click()
    page.get_by_text("Key “CI 2” is deleted.").wait_for()
    assert console.focused() == "Manage API keys"


def test_api_access_is_a_switch_that_asks_before_it_stops_keys(console: Console) -> None:
    page = console.page
    console.open("console/settings/", "Profile settings")
    switch = page.get_by_role("switch", name="API access")
    switch.click()
    assert console.focused() == "Leave it on"
    page.get_by_role("button", name="Turn off API access").click()
    page.get_by_role("heading", name="API access is off").wait_for()
    assert switch.get_attribute("aria-checked") == "false"

    page.get_by_role("button", name="Turn on API access").click()
    page.get_by_text("API access is on.", exact=True).wait_for()
    assert switch.get_attribute("aria-checked") == "true"


def test_the_playground_streams_an_answer_and_can_be_stopped(console: Console) -> None:
    page = console.page
    console.open("console/playground/", "Playground")
    message = page.get_by_label("Message 2", exact=True)
    message.fill("[[sandbox:say=Hello from the test.]]")
    page.keyboard.press("Control+Enter")
    page.locator(".answer").get_by_text("Hello from the test.").wait_for()
    page.get_by_text("$0.00").wait_for()

    message.fill("[[sandbox:delay=200ms]] [[sandbox:tokens=400]]")
    page.get_by_role("button", name="Send", exact=True).click()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("You stopped the answer.").wait_for()


def test_a_tool_s_answer_goes_back_to_the_model(console: Console) -> None:
    page = console.page
    console.open("console/playground/", "Playground")
    if page.get_by_label("Tools").is_hidden():
        page.get_by_text("Settings:").click()
    page.get_by_label("Tools").select_option("weather")
    page.get_by_role("button", name="Send", exact=True).click()
    page.get_by_text("Calls get_weather", exact=True).first.wait_for()
    page.get_by_label("Answer as the tool").fill('{"temperature": 17}')
    page.get_by_role("button", name="Add the tool's answer").click()
    page.get_by_role("button", name="Send", exact=True).click()

    page.locator(".answer .text").get_by_text("17").wait_for()


def test_sessions_are_ended_everywhere(open_console: type[Console], server: object) -> None:
    first, second = open_console(), open_console()  # type: ignore[call-arg]
    first.sign_in()
    second.sign_in()
    first.open("console/settings/sessions/", "Sessions")
    first.page.get_by_role("button", name="Sign out everywhere").click()
    first.page.get_by_role("dialog").get_by_role("button", name="Sign out everywhere").click()
    first.page.get_by_text("You are signed out on all devices.").wait_for()

    second.expected.append("401")
    second.page.goto(f"{second.origin}/console/usage/")
    second.page.get_by_role("heading", level=1, name="Sign in").wait_for()
    assert "return_to=%2Fconsole%2Fusage%2F" in second.page.url


def test_the_chart_is_read_by_keyboard(console: Console) -> None:
    page = console.page
    console.make_key("reader")
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}
    console.api("POST", "chat/completions", body)
    console.open("console/usage/?range=30", "API usage statistics")
    console.tab_to("Day")
    slider = page.get_by_role("slider")
    last = slider.get_attribute("aria-valuetext")
    page.keyboard.press("Home")
    first = slider.get_attribute("aria-valuetext")
    page.keyboard.press("End")

    assert first != last and "(today)" in (slider.get_attribute("aria-valuetext") or "")
    assert page.locator(".read").inner_text() == slider.get_attribute("aria-valuetext")


def test_a_key_is_made_without_a_mouse(console: Console) -> None:
    page = console.page
    console.open("console/", "Overview")
    page.keyboard.press("Tab")
    assert console.focused() == "Skip to content"
    console.open("console/settings/api/", "Manage API keys")
    console.tab_to("Create key")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Create a key").wait_for()
    console.settle()
    page.keyboard.type("By keyboard")
    console.tab_to("Create key")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Save your key now").wait_for()
    console.tab_to("I have saved this key")
    page.keyboard.press("Space")
    console.tab_to("Done")
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1, name="Manage API keys").wait_for()

    page.get_by_role("link", name="By keyboard").wait_for()


def test_a_leaked_key_is_found_by_its_start_stopped_and_what_it_made_deleted(
    console: Console,
) -> None:
    page = console.page
    every = console.api("GET", "profile")["body"]["data"]["permissions"]
    leaked = console.make_key("Leaked", permissions=every)
    child = {"name": "Child", "permissions": ["models.list"]}
    made = page.evaluate(
        """async ([base, key, body]) => (await fetch(`${base}/api-keys`, {
            method: "POST", credentials: "omit", body: JSON.stringify(body),
            headers: {authorization: `Bearer ${key}`, "content-type": "application/json"},
        })).status""",
        [console.server.base_url, leaked["key"], child],
    )
    assert made == 200

    console.open("console/settings/api/leaked/", "Is a key leaked?")
    page.get_by_label("Start of the key").fill(leaked["key"])
    page.get_by_text("Cut to 23 characters").wait_for()
    row = page.get_by_role("list", name="Keys").get_by_role("listitem")
    assert row.count() == 1 and "Leaked" in row.inner_text()
    page.get_by_role("button", name="Stop it now").click()
    page.get_by_role("heading", name="Save your key now").wait_for()
    page.get_by_label("I have saved this key").check()
    page.get_by_role("button", name="Done").click()
    page.get_by_text("It made 1 key: Child").wait_for()
    page.get_by_role("button", name="Delete this key").click()
    page.get_by_text("1 key deleted.").wait_for()
