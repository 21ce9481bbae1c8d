"""The files of the site as they are served: caching, compression, redirects, whom to ask."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

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
    ],
)
def test_the_stage_is_what_stands_before_the_path(whole: str, path: str, prefix: str) -> None:
    """API Gateway leaves the path in its event as it was sent; ASGI's is decoded."""
    scope = {"path": path, "aws.event": {"requestContext": {"path": whole}}}

    assert stage_prefix(scope) == prefix
