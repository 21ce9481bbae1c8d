"""What hostile text, pages and links can do to the console: nothing."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.browser.console import Console

pytestmark = pytest.mark.timeout(300)

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "javascript:alert(1)",
    "</script><script>alert(1)</script>",
    "${alert(1)} {{7*7}}",
    "W" * 100,
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_key_s_name_is_text_everywhere(open_console: type[Console], name: str) -> None:
    console = open_console()  # type: ignore[call-arg]
    console.sign_in()
    console.delete_keys()
    key = console.make_key(name)
    for path in (
        "console/settings/api/",
        f"console/settings/api/key/?id={key['id']}",
        "console/settings/api/leaked/",
        "console/usage/?by=Key",
    ):
        page = console.open(path)
        assert page.locator("main img, main script, main svg[onload]").count() == 0
        assert console.sideways() == 0
    console.open("console/settings/api/")
    assert console.page.get_by_role("link", name=name, exact=True).is_visible()
    console.api("PATCH", "profile", {"name": name})
    console.open("console/settings/")
    assert console.page.get_by_label("Name").input_value() == name
    console.api("PATCH", "profile", {"name": "Demo"})


def test_a_model_s_answer_is_text_also_when_formatted(open_console: type[Console]) -> None:
    console = open_console()  # type: ignore[call-arg]
    console.sign_in()
    page = console.open("console/playground/", "Playground")
    answer = (
        "<img src=x onerror=alert(1)> ![i](https://evil.test/x.png) "
        "[a](javascript:alert(1)) [b](https://example.com/) <svg onload=alert(1)>"
    )
    page.get_by_label("Message 2", exact=True).fill(f"[[sandbox:say={answer.replace(']', '')}]]")
    page.get_by_role("button", name="Send", exact=True).click()
    page.get_by_role("button", name="Formatted").click()
    page.locator(".formatted").wait_for()

    assert page.locator(".answer img, .answer svg, .answer script").count() == 0
    for link in page.locator(".answer a").all():
        assert (link.get_attribute("href") or "").startswith(("https:", "mailto:"))


def test_formatted_links_lead_to_https_only_and_images_are_not_fetched(
    open_console: type[Console],
) -> None:
    console = open_console()  # type: ignore[call-arg]
    console.sign_in()
    page = console.open("console/playground/", "Playground")
    page.evaluate(
        """async () => {
            const src = document.querySelector('link[rel=modulepreload]').href;
            const { formatted } = await import(new URL('../markdown.js', src));
            const { html, render } = await import(new URL('../vendor/preact.js', src));
            const box = document.createElement('div');
            box.id = 'probe';
            document.body.append(box);
            render(html`${formatted('[a](javascript:alert(1)) [b](https://example.com/x) '
              + '![c](https://evil.test/c.png) <b onclick=alert(1)>d</b> '
              + '[e](http://x.test)')}`, box);
        }"""
    )
    links = [link.get_attribute("href") for link in page.locator("#probe a").all()]

    assert links == ["https://example.com/x"]
    assert page.locator("#probe img, #probe b").count() == 0
    assert "![c](https://evil.test/c.png)" in page.locator("#probe").inner_text()


@pytest.fixture
def evil() -> Iterator[str]:
    """Another site, on another port: for cookies the same site, which is the harder case."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>evil</title>")

        def log_message(self, *args: object) -> None:
            """Silent."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_another_site_reads_and_changes_nothing(
    open_console: type[Console], evil: str, server: object
) -> None:
    console = open_console()  # type: ignore[call-arg]
    console.sign_in()
    before = len(console.api("GET", "api-keys")["body"]["data"])
    console.expected += ["asked another host", "CORS", "403", "401", "ERR_FAILED", "favicon", "404"]
    console.page.goto(evil)
    outcome = console.page.evaluate(
        """async (origin) => {
            const outcomes = [];
            const tries = [
                ['GET', 'api-keys', {}],
                ['GET', 'profile', {}],
                ['DELETE', 'sessions', {'x-losi-console': '1'}],
                ['POST', 'session/demo', {'x-losi-console': '1'}],
            ];
            for (const [method, path, headers] of tries) {
                try {
                    const response = await fetch(`${origin}/api/v1/${path}`,
                        {method, headers, credentials: 'include'});
                    outcomes.push(response.status);
                } catch { outcomes.push('refused'); }
            }
            const form = document.createElement('form');
            form.method = 'post';
            form.action = `${origin}/api/v1/api-keys`;
            form.enctype = 'text/plain';
            document.body.append(form);
            form.submit();
            return outcomes;
        }""",
        console.origin,
    )
    console.page.wait_for_url("**/api/v1/api-keys")
    console.page.wait_for_load_state()

    assert all(each in ("refused", 401, 403) for each in outcome), outcome
    console.open("console/", "Overview")
    assert len(console.api("GET", "api-keys")["body"]["data"]) == before


def test_another_site_cannot_frame_the_console(open_console: type[Console], evil: str) -> None:
    console = open_console()  # type: ignore[call-arg]
    console.sign_in()
    console.expected += ["frame", "asked another host", "404", "favicon"]
    console.page.goto(evil)
    console.page.evaluate(
        "url => { const f = document.createElement('iframe'); f.src = url;"
        " document.body.append(f) }",
        f"{console.origin}/console/",
    )
    console.page.wait_for_timeout(500)

    (frame,) = console.page.frames[1:]
    assert "Overview" not in frame.content()


@pytest.mark.parametrize(
    "return_to",
    [
        "https://evil.test/",
        "//evil.test/",
        "/\\evil.test",
        "javascript:alert(1)",
        "/docs/",
        "/console//evil.test",
    ],
)
def test_signing_in_leads_nowhere_else(open_console: type[Console], return_to: str) -> None:
    console = open_console()  # type: ignore[call-arg]
    page = console.page
    page.goto(f"{console.origin}/console/signin/?return_to={return_to}")
    page.get_by_role("button", name="Open the demo account").click()
    page.get_by_role("heading", level=1, name="Overview").wait_for()

    assert page.url == f"{console.origin}/console/"


def test_the_cookie_is_kept_from_scripts_and_a_planted_one_is_not_taken_over(
    open_console: type[Console],
) -> None:
    console = open_console()  # type: ignore[call-arg]
    port = console.origin.rpartition(":")[2]
    planted = {"name": f"losi-{port}", "value": "A" * 61, "url": console.origin}
    console.context.add_cookies([planted])  # type: ignore[list-item]
    console.sign_in()
    (cookie,) = [each for each in console.context.cookies() if each["name"] == f"losi-{port}"]

    assert cookie["value"] != "A" * 61
    assert cookie["httpOnly"] is True and cookie["sameSite"] == "Lax"
    assert console.page.evaluate("document.cookie") == ""


def test_pages_carry_the_policy_and_are_fetched_again_only_when_they_changed(
    server: object, open_console: type[Console]
) -> None:
    console = open_console()  # type: ignore[call-arg]
    with httpx.Client(base_url=console.origin) as client:
        page = client.get("/console/")
        policy = page.headers["content-security-policy"]
        assert "script-src 'self'" in policy and "trusted-types 'none'" in policy
        assert "unsafe" not in policy and "http:" not in policy
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["cache-control"] == "no-cache"
        tag = {"If-None-Match": page.headers["etag"]}
        assert client.get("/console/", headers=tag).status_code == 304
        style = page.text.split('rel="stylesheet" href="')[1].split('"')[0]
        asset = client.get(f"/console/{style}")
        assert "immutable" in asset.headers["cache-control"]
        assert asset.headers["content-encoding"] == "gzip"
        for path in ("/console/../app.py", "/console/%2e%2e/app.py", "/manifest.json", "/404.html"):
            assert client.get(path).status_code == 404
