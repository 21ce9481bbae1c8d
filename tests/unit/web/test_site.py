"""The files of the site as they are served: caching, compression, redirects, whom to ask."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from losi.web.site import NO_ADDRESS, Site, stage_prefix

ASSET = "console/assets/0123456789ab/style.css"
FILES = {
    "docs/index.html": "<h1>Docs</h1>",
    "docs/support/index.html": "<p>Ask %SUPPORT%.</p>",
    "docs/support.md": "Ask %SUPPORT%.",
    "404.html": "<title>%PREFIX%</title><code>%PATH%</code>%HELP%",
    ASSET: "p { color: red }",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path, text in FILES.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.with_name(file.name + ".gz").write_bytes(gzip.compress(text.encode()))
    manifest = {
        "files": {path: f"tag{number}" for number, path in enumerate(FILES)},
        "support": ["docs/support/index.html", "docs/support.md"],
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path


async def get(site: Site, path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=site)
    async with httpx.AsyncClient(transport=transport, base_url="http://losi") as http:
        plain = {"accept-encoding": "identity"}
        return await http.get(path, headers={**plain, **headers})


async def test_a_document_is_asked_for_each_time_and_sent_when_it_changed(folder: Path) -> None:
    site = Site(folder)
    first = await get(site, "/docs/")
    again = await get(site, "/docs/", **{"if-none-match": first.headers["etag"]})

    assert first.text == "<h1>Docs</h1>"
    assert first.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


async def test_an_asset_lies_under_its_hash_and_is_kept_for_good(folder: Path) -> None:
    asset = await get(Site(folder), f"/{ASSET}")

    assert asset.headers["cache-control"] == "max-age=31536000, immutable"
    assert (await get(Site(folder), f"/{ASSET.replace('0', 'f')}")).status_code == 404


async def test_what_was_compressed_is_sent_to_those_who_take_it(folder: Path) -> None:
    packed = await get(Site(folder), f"/{ASSET}", **{"accept-encoding": "gzip"})

    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "accept-encoding"
    assert packed.text == FILES[ASSET]


@pytest.mark.parametrize(
    ("support", "shown"),
    [
        ("", NO_ADDRESS),
        ("help@example.com", '<a href="mailto:help@example.com">help@example.com</a>'),
        ("https://help.example.com", '<a href="https://help.example.com">'),
        ("the desk & Ann", "the desk &amp; Ann"),
    ],
)
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_the_docs_say_where_help_is_given(
    folder: Path, support: str, shown: str, encoding: str
) -> None:
    page = await get(Site(folder, support), "/docs/support/", **{"accept-encoding": encoding})

    assert shown in page.text


async def test_in_markdown_the_address_is_text(folder: Path) -> None:
    assert (await get(Site(folder, "a@b.c"), "/docs/support.md")).text == "Ask a@b.c."


async def test_another_address_is_another_document(folder: Path) -> None:
    tags = {
        (await get(Site(folder, support), "/docs/support/")).headers["etag"]
        for support in ("", "a@b.c", "x@y.z")
    }
    assert len(tags) == 3


@pytest.mark.parametrize("path", ["/manifest.json", "/404.html", "/docs/index.html.gz", "/../x"])
async def test_what_is_not_listed_is_not_served(folder: Path, path: str) -> None:
    assert (await get(Site(folder), path)).status_code == 404


async def test_a_page_s_address_ends_with_a_slash(folder: Path) -> None:
    moved = await get(Site(folder), "/docs?q=1")

    assert (moved.status_code, moved.headers["location"]) == (302, "/docs/?q=1")


async def test_a_program_that_is_lost_gets_the_envelope_and_a_person_a_page(folder: Path) -> None:
    program = await get(Site(folder), "/v1/models")
    person = await get(Site(folder), "/v1/models", accept="text/html")

    assert "Did you mean /api/v1/models?" in program.json()["error"]["message"]
    assert "<code>/api/v1/models</code>" in person.text and person.status_code == 404


async def test_every_answer_has_its_request_id(folder: Path) -> None:
    site = Site(folder)

    for path in ("/docs/", "/", "/nowhere", "/api/v1/nowhere"):
        assert (await get(site, path)).headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("whole", "path", "prefix"),
    [
        ("/prod/docs/", "/docs/", "/prod"),
        ("/prod/api/v1/mod%25els", "/api/v1/mod%els", "/prod"),
        ("/api/v1/mod%25els", "/api/v1/mod%els", ""),
        ("/prod/", "/", "/prod"),
        ("/prod", "/", "/prod"),
        ("", "/docs/", ""),
        (None, "/docs/", ""),
    ],
)
def test_the_stage_is_what_stands_before_the_path(
    whole: str | None, path: str, prefix: str
) -> None:
    """API Gateway leaves the path in its event as it was sent; ASGI's is decoded."""
    scope = {"path": path, "aws.event": {"requestContext": {"path": whole}}}

    assert stage_prefix(scope) == prefix


@pytest.mark.parametrize("event", [{}, {"aws.event": None}, {"aws.event": {}}])
def test_elsewhere_there_is_no_stage(event: dict[str, Any]) -> None:
    assert stage_prefix({"path": "/docs/", **event}) == ""


async def ask(site: Site, method: str, url: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=site)
    async with httpx.AsyncClient(transport=transport) as http:
        plain = {"accept-encoding": "identity"}
        return await http.request(method, url, headers={**plain, **headers})


def without_id(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name != "x-request-id"}


POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
SECURITY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
BY_SCHEME = {
    "http": {"content-security-policy": POLICY},
    "https": {
        "content-security-policy": f"{POLICY}; upgrade-insecure-requests",
        "strict-transport-security": "max-age=31536000",
    },
}


class TestHeaders:
    @pytest.mark.parametrize("scheme", BY_SCHEME)
    async def test_of_a_page(self, folder: Path, scheme: str) -> None:
        page = await ask(Site(folder), "GET", f"{scheme}://losi/docs/")
        head = await ask(Site(folder), "HEAD", f"{scheme}://losi/docs/")

        assert without_id(page) == {
            "content-type": "text/html; charset=utf-8",
            "content-length": "13",
            "cache-control": "no-cache",
            "etag": '"tag0"',
            "vary": "accept-encoding",
            **SECURITY,
            **BY_SCHEME[scheme],
        }
        assert (head.status_code, head.content, without_id(head)) == (200, b"", without_id(page))

    @pytest.mark.parametrize("scheme", BY_SCHEME)
    async def test_of_a_page_that_says_not_found(self, folder: Path, scheme: str) -> None:
        page = await ask(Site(folder), "GET", f"{scheme}://losi/nowhere", accept="text/html")

        assert without_id(page) == {
            "content-type": "text/html; charset=utf-8",
            "content-length": str(len(page.content)),
            "cache-control": "no-store",
            **SECURITY,
            **BY_SCHEME[scheme],
        }

    @pytest.mark.parametrize("scheme", BY_SCHEME)
    async def test_of_a_redirect(self, folder: Path, scheme: str) -> None:
        moved = await ask(Site(folder), "GET", f"{scheme}://losi/docs")

        found = without_id(moved)
        assert found.pop("strict-transport-security", "") == (
            "max-age=31536000" if scheme == "https" else ""
        )
        assert found == {"location": "/docs/", "cache-control": "no-store", "content-length": "0"}

    async def test_of_an_unchanged_page(self, folder: Path) -> None:
        known = {"if-none-match": '"other", "tag0"'}
        answer = await ask(Site(folder), "GET", "http://losi/docs/", **known)

        assert answer.status_code == 304
        assert "content-type" not in answer.headers and answer.headers["etag"] == '"tag0"'

    @pytest.mark.parametrize(
        ("suffix", "type"),
        [
            ("html", "text/html; charset=utf-8"),
            ("css", "text/css; charset=utf-8"),
            ("js", "text/javascript; charset=utf-8"),
            ("svg", "image/svg+xml"),
            ("json", "application/json"),
            ("md", "text/markdown; charset=utf-8"),
            ("txt", "text/plain; charset=utf-8"),
        ],
    )
    async def test_name_the_type_of_a_file(self, tmp_path: Path, suffix: str, type: str) -> None:
        manifest = {"files": {f"a.{suffix}": "tag"}, "support": []}
        (tmp_path / "manifest.json").write_text(json.dumps(manifest))
        (tmp_path / f"a.{suffix}").write_text("a")

        assert (await get(Site(tmp_path), f"/a.{suffix}")).headers["content-type"] == type


async def test_a_lost_program_gets_the_whole_envelope(folder: Path) -> None:
    answer = await ask(Site(folder), "POST", "http://losi/docs/")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    error = answer.json()["error"]
    message = error.pop("message")
    assert message.startswith("Unknown request URL: POST /docs/.")
    assert error == {"type": "invalid_request_error", "param": None, "code": "unknown_url"}


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_a_lost_person_sees_the_path_and_no_markup_of_it(folder: Path, encoding: str) -> None:
    headers = {"accept": "text/html", "accept-encoding": encoding}
    page = await ask(Site(folder), "GET", "http://losi/<b>&models", **headers)

    assert page.text == "<title></title><code>/&lt;b&gt;&amp;models</code>"
    assert page.headers.get("content-encoding", "identity") == encoding


async def test_a_lost_person_is_shown_the_url_that_was_meant(folder: Path) -> None:
    page = await ask(Site(folder), "GET", "http://losi/v1/models/<b>", accept="text/html")

    assert "<p class='lead'>The API is at <code>/api/v1/models/&lt;b&gt;</code>.</p>" in page.text


async def test_under_a_stage_links_have_it(folder: Path) -> None:
    site = Site(folder)

    async def staged(scope: Any, receive: Any, send: Any) -> None:
        event = {"requestContext": {"path": f"/prod{scope['path']}"}}
        await site({**scope, "aws.event": event}, receive, send)

    transport = httpx.ASGITransport(app=staged)
    async with httpx.AsyncClient(transport=transport, base_url="http://losi") as http:
        root = await http.get("/")
        moved = await http.get("/docs")
        lost = await http.get("/v1/models", headers={"accept": "text/html"})
        program = await http.get("/v1/models")

    assert root.headers["location"] == "/prod/docs/"
    assert moved.headers["location"] == "/prod/docs/"
    assert lost.text == (
        "<title>/prod</title><code>/prod/v1/models</code>"
        "<p class='lead'>The API is at <code>/prod/api/v1/models</code>.</p>"
    )
    assert "Did you mean /prod/api/v1/models?" in program.json()["error"]["message"]


@pytest.mark.parametrize(
    ("cookie", "start"),
    [("", "/docs/"), ("other=1", "/docs/"), ("__Host-losi-prod=x", "/console/")],
)
async def test_who_was_signed_in_begins_in_the_console(
    folder: Path, cookie: str, start: str
) -> None:
    for path in ("", "/"):
        begun = await ask(Site(folder), "GET", f"http://losi{path}", cookie=cookie)
        assert (begun.status_code, begun.headers["location"]) == (302, start)


async def test_a_file_is_no_folder(folder: Path) -> None:
    assert (await get(Site(folder), "/docs/support.md/")).status_code == 404


async def test_where_nothing_was_compressed_the_file_itself_is_sent(folder: Path) -> None:
    (folder / f"{ASSET}.gz").unlink()

    plain = await get(Site(folder), f"/{ASSET}", **{"accept-encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert plain.text == FILES[ASSET]


async def test_sam_local_gets_text(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SAM_LOCAL", "true")
    gzipped = {"accept-encoding": "gzip"}

    for path in (f"/{ASSET}", "/docs/support/"):
        assert "content-encoding" not in (await get(Site(folder), path, **gzipped)).headers
    lost = await get(Site(folder), "/nowhere", accept="text/html", **gzipped)
    assert "content-encoding" not in lost.headers and lost.text.startswith("<title>")


async def test_only_requests_are_answered(folder: Path) -> None:
    async def unused(*_: Any) -> Any:
        raise AssertionError("a message")

    await Site(folder)({"type": "lifespan"}, unused, unused)
