"""The console and the docs as they are deployed: real functions behind API Gateway, on https.

Under a domain, and under AWS's own address, where the stage is part of every path.
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.sync_api import Browser

from local.site.build import ensure_site
from local.table import create_table
from losi.identity.key import NewKey
from losi.identity.principal import PERMISSIONS
from losi.identity.session import Sessions
from losi.management.accounts import Accounts
from losi.metering.books import Books
from tests.browser.console import Console, Size
from tests.browser.test_pages import PAGES
from tests.catalogue import CATALOGUE
from tests.dynamodb_local import dynamodb_environment
from tests.front_door import FrontDoor, template_routes
from tests.obtain import skip_or_fail

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.timeout(300)
SUPPORT = "help@example.com"
COOKIE = "__Host-losi-prod"


@dataclass(frozen=True)
class Deployment:
    base_url: str
    api_key: str
    account_id: str
    sessions: Sessions

    @property
    def origin(self) -> str:
        return self.base_url.removesuffix("/api/v1")

    @property
    def prefix(self) -> str:
        return httpx.URL(self.origin).path.rstrip("/")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    if shutil.which("openssl") is None:
        skip_or_fail("openssl is missing. On Debian: apt-get install openssl")
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = str(folder / "key.pem"), str(folder / "certificate.pem")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@pytest.fixture(scope="module", params=["domain", "stage"])
def deployment(
    request: pytest.FixtureRequest, dynamodb: DynamoDBClient, tls: ssl.SSLContext
) -> Iterator[Deployment]:
    ensure_site()
    table = f"losi-{uuid.uuid4().hex}"
    create_table(dynamodb, table)
    accounts = Accounts(dynamodb, table, Books(dynamodb, table), CATALOGUE.plans)
    account = accounts.create_account("ultra", name="Ann", email="ann@example.com")
    _, secret = accounts.create_key(account.id, NewKey("Demo key", frozenset(PERMISSIONS)))
    environment = {
        **dynamodb_environment(dynamodb.meta.endpoint_url, table),
        "LOSI_STAGE": "prod",
        "LOSI_SUPPORT": SUPPORT,
        "LOSI_SANDBOX_FALLBACK": "1",
    }
    in_url = request.param == "stage"
    with FrontDoor(template_routes(), environment, stage_in_url=in_url, tls=tls) as door:
        sessions = Sessions(dynamodb, table, CATALOGUE.plans)
        yield Deployment(f"{door.url}/api/v1", secret.text, account.id, sessions)


@pytest.fixture(params=[Size(1280, 800), Size(390, 844)], ids=lambda size: str(size.width))
def console(
    chromium: Browser, deployment: Deployment, request: pytest.FixtureRequest
) -> Iterator[Console]:
    """A browser that asks for nothing outside of the deployment's own address."""
    console = Console(chromium, deployment, request.param)
    yield console
    console.close()


@pytest.fixture
def signed_in(console: Console, deployment: Deployment) -> Console:
    """As the account's owner: signing in at an issuer is tests/integration's matter."""
    token = deployment.sessions.open(deployment.account_id, "Chromium")
    host = f"https://127.0.0.1:{httpx.URL(deployment.origin).port}/"
    cookie = {"name": COOKIE, "value": token.text, "url": host, "secure": True, "httpOnly": True}
    console.context.add_cookies([cookie])  # type: ignore[list-item]
    return console


@pytest.fixture
def http(deployment: Deployment) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=deployment.origin, verify=False, timeout=30) as client:
        yield client


def test_every_page_is_there(signed_in: Console) -> None:
    """Its heading shows, nothing complains, and its links stay under the deployment's address."""
    for path, heading in PAGES.items():
        page = signed_in.open(path, heading)
        links = page.eval_on_selector_all("a[href]", "links => links.map(link => link.href)")
        own = [link for link in links if link.startswith("https://127.0.0.1")]
        assert all(link.startswith(signed_in.origin) for link in own), path


def test_from_a_key_to_a_completion_to_its_bar(signed_in: Console) -> None:
    page = signed_in.open("console/settings/api/new/", "Create a key")
    page.keyboard.type("My first key")
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1, name="Save your key now").wait_for()
    page.get_by_role("button", name="Send a test request").click()
    page.get_by_text("Your key works.").wait_for()
    page.get_by_role("link", name="See it in Usage").click()
    page.get_by_role("heading", level=1, name="API usage statistics").wait_for()
    page.locator(".plot svg g rect.s1").first.wait_for()
    signed_in.delete_keys()


def test_changes_playground_and_sign_out(signed_in: Console) -> None:
    page = signed_in.open("console/settings/", "Profile settings")
    page.get_by_role("switch", name="API access").click()
    page.get_by_role("button", name="Turn off API access").click()
    page.get_by_role("button", name="Turn on API access").click()
    page.get_by_text("API access is on.", exact=True).wait_for()

    page = signed_in.open("console/playground/", "Playground")
    page.get_by_label("Message 2", exact=True).fill("[[sandbox:say=Hello from the test.]]")
    page.keyboard.press("Control+Enter")
    page.locator(".answer").get_by_text("Hello from the test.").wait_for()

    if page.get_by_role("button", name="Menu").is_visible():
        page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_text("You are signed out.").wait_for()
    assert [each for each in signed_in.context.cookies() if each["name"] == COOKIE] == []
    signed_in.expected.append("401")
    signed_in.open("console/usage/", "Sign in")
    assert "return_to=" in page.url


def test_a_key_signs_in_with_a_cookie_of_this_stage_alone(
    console: Console, deployment: Deployment
) -> None:
    page = console.open("console/signin/", "Sign in")
    page.get_by_label("API key").fill(deployment.api_key)
    page.get_by_role("button", name="Sign in with this key").click()
    page.get_by_role("heading", level=1, name="Overview").wait_for()
    (cookie,) = console.context.cookies()

    assert cookie["name"] == COOKIE
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
    assert (cookie["path"], cookie["domain"]) == ("/", "127.0.0.1")
    assert page.evaluate("document.cookie") == ""


def test_unknown_pages_help_and_help_is_named(console: Console) -> None:
    console.expected.append("404")
    page = console.open("console/keyz")
    page.get_by_role("heading", name="There is no page at").wait_for()
    page.get_by_role("link", name="Docs").click()
    page.get_by_role("heading", level=1, name="API documentation").wait_for()
    console.open("docs/support/", "Support")
    page.get_by_role("link", name=SUPPORT).wait_for()


def test_documents_are_asked_for_and_assets_are_kept(
    http: httpx.Client, deployment: Deployment
) -> None:
    document = http.get("/console/")
    assert document.headers["cache-control"] == "no-cache"
    assert document.headers["content-encoding"] == "gzip"
    policy = document.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "upgrade-insecure-requests" in policy
    assert document.headers["strict-transport-security"] == "max-age=31536000"
    again = http.get("/console/", headers={"If-None-Match": document.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")

    style = document.text.split('rel="stylesheet" href="')[1].split('"')[0]
    asset = http.get(f"/console/{style}")
    assert asset.headers["cache-control"] == "max-age=31536000, immutable"
    assert asset.headers["content-encoding"] == "gzip" and "@layer" in asset.text

    start = http.get("/", follow_redirects=False)
    assert start.headers["location"] == f"{deployment.prefix}/docs/"
    returning = http.get("/", headers={"Cookie": f"{COOKIE}=x"}, follow_redirects=False)
    assert returning.headers["location"] == f"{deployment.prefix}/console/"
    assert http.get("/docs/streaming", follow_redirects=False).headers["location"] == (
        f"{deployment.prefix}/docs/streaming/"
    )
    assert http.get("/llms.txt").text.startswith("# Losi API")
    assert http.get("/docs/streaming.md").headers["content-type"].startswith("text/markdown")


def test_no_file_is_reached_by_another_path(http: httpx.Client) -> None:
    for path in ("/console/%2e%2e/app.py", "/manifest.json", "/404.html", "/app.py"):
        assert http.get(path).status_code == 404
    assert Path(ensure_site(), "manifest.json").is_file()
