"""The one list of endpoints, and the places that must agree with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from local.table import load_template
from losi.identity.principal import PERMISSIONS
from losi.web.endpoints import BASE_PATH, CONSOLE, ENDPOINTS, FUNCTIONS, SITE
from losi.web.session import DEMO_PATH

ROOT = Path(__file__).parents[3]


def template_functions() -> dict[str, dict[str, Any]]:
    """The properties of each function, by its folder."""
    resources = load_template()["Resources"].values()
    functions = [each for each in resources if each["Type"] == "AWS::Serverless::Function"]
    return {Path(each["Properties"]["CodeUri"]).name: each["Properties"] for each in functions}


def test_every_function_has_its_folder_and_its_resource() -> None:
    folders = {path.parent.name for path in ROOT.glob("functions/*/app.py")}

    assert folders == {*FUNCTIONS, "canary", "console", "settlements"}
    assert template_functions().keys() == folders


def test_the_template_has_an_event_for_every_path_and_no_others() -> None:
    routes = {
        (event["Properties"]["Path"], function, "ResponseTransferMode" in event["Properties"])
        for function, properties in template_functions().items()
        for event in properties["Events"].values()
        if event["Type"] == "Api"
    }

    expected = {(each.path, each.function, each.streams) for each in (*ENDPOINTS, *CONSOLE)}
    assert routes == expected | {(path, "console", True) for path in SITE}


def test_every_permission_opens_an_endpoint() -> None:
    assert {each.permission for each in ENDPOINTS} - {None} == set(PERMISSIONS)


@pytest.mark.parametrize("name", ["keys.md", "guides/manage-api-keys.md"])
def test_the_pages_about_keys_say_which_permission_opens_what(name: str) -> None:
    page = (ROOT / "docs" / name).read_text()
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| (.*) \|$", page, re.MULTILINE))

    for endpoint in ENDPOINTS:
        if endpoint.permission:
            row = rows[endpoint.permission]
            assert endpoint.method in row
            assert endpoint.path.replace("+}", "}") in row


def test_the_console_knows_all_permissions_and_no_others() -> None:
    script = (ROOT / "functions/console/site/assets/lib/keys.js").read_text()
    [known] = re.findall(r"^export const PERMISSIONS = \{\n(.*?)^\};", script, re.M | re.S)

    assert set(re.findall(r'^  "([a-z_.]+)": "', known, re.M)) == set(PERMISSIONS)


def test_the_page_about_the_command_line_shows_a_full_key_with_all_permissions() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()

    assert f"\nPermissions  {', '.join(PERMISSIONS)}\n" in page


def test_every_path_that_a_text_names_is_in_the_list() -> None:
    """Messages of lower rooms, which cannot import the list, and the pages of docs/."""
    known = {each.path.replace("+}", "}") for each in (*ENDPOINTS, *CONSOLE)} | {DEMO_PATH}
    files = [*(ROOT / "shared").rglob("*.py"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")]

    named = {
        (path.rstrip("/."), file.relative_to(ROOT))
        for file in files
        for path in re.findall(rf"{BASE_PATH}/[\w/{{}}.-]*\w}}?", file.read_text())
    }

    wrong = {
        (path, file)
        for path, file in named
        if path not in known and not any(each.startswith(f"{path}/") for each in known)
    }
    assert len(named) > 50
    assert wrong == set()
