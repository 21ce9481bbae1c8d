"""The site as `make site` builds it: its weight, its links, and whose code it carries."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urljoin

import pytest

from local.site.build import SOURCE, build

#: Compressed bytes and requests of a first visit, before data. Each request is an invocation.
CONSOLE_BYTES, CONSOLE_REQUESTS = 60_000, 7
DOCS_BYTES, DOCS_REQUESTS = 40_000, 4
STYLE_BYTES, SEARCH_BYTES = 10_000, 60_000
REFERENCE = re.compile(r'<(?:link|script)[^>]*(?:href|src)="([^"]+)"')
LINK = re.compile(r'<a[^>]*href="([^"]+)"')
#: Filled by the server, which knows the stage's prefix (losi/web/site.py).
PREFIX = "%PREFIX%"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build(folder, "stamp")
    return folder


def documents(site: Path, under: str) -> list[Path]:
    return sorted((site / under).rglob("index.html"))


def packed(file: Path) -> int:
    return file.with_name(file.name + ".gz").stat().st_size


def visit(document: Path) -> list[Path]:
    """What the browser fetches to show it: the document, and what it names. Imports are named."""
    named = [document.parent / path for path in REFERENCE.findall(document.read_text("utf-8"))]
    return [document, *{file.resolve() for file in named}]


@pytest.mark.parametrize(
    ("under", "most", "requests"),
    [("console", CONSOLE_BYTES, CONSOLE_REQUESTS), ("docs", DOCS_BYTES, DOCS_REQUESTS)],
)
def test_a_first_visit_is_light(site: Path, under: str, most: int, requests: int) -> None:
    for document in documents(site, under):
        files = visit(document)
        assert len(files) <= requests, document
        assert sum(packed(file) for file in files) <= most, document


def test_style_and_search_are_light(site: Path) -> None:
    (style,) = site.rglob("style.css")

    assert packed(style) <= STYLE_BYTES
    assert packed(site / "docs" / "search.json") <= SEARCH_BYTES


def test_modules_import_only_what_the_page_has_named(site: Path) -> None:
    """An import that it did not name would be fetched one after the other."""
    for document in documents(site, "console"):
        files = visit(document)
        for script in (file for file in files if file.suffix == ".js"):
            for path in re.findall(r'^import .* from "([^"]+)"', script.read_text(), re.MULTILINE):
                assert (script.parent / path).resolve() in files, f"{script.name} imports {path}"


@cache
def anchors(document: Path) -> set[str]:
    return set(re.findall(r'\bid="([^"]+)"', document.read_text("utf-8")))


def test_every_link_leads_to_a_page_and_an_anchor_of_it(site: Path) -> None:
    broken = []
    for document in (*documents(site, "docs"), *documents(site, "console"), site / "404.html"):
        here = f"/{document.parent.relative_to(site).as_posix()}/"
        for link in LINK.findall(document.read_text("utf-8").replace(PREFIX, "")):
            path, _, anchor = urljoin(here, link).partition("#")
            if re.match(r"[a-z]+:", link):
                continue
            target = site / unquote(path.partition("?")[0]).strip("/")
            page = target / "index.html" if target.is_dir() else target
            if path in ("/", "/console/operator/"):
                continue
            if not page.is_file() or (anchor and unquote(anchor) not in anchors(page)):
                broken.append(f"{here}: {link}")
    assert broken == []


def test_markdown_pages_and_their_list_are_there(site: Path) -> None:
    listed = re.findall(r"\]\(/(docs/[^)]+\.md)\)", (site / "llms.txt").read_text("utf-8"))
    pages = {path.relative_to(site).as_posix() for path in (site / "docs").rglob("*.md")}

    assert set(listed) == pages and len(pages) > 30
    assert not re.search(r"\.md\):\s*$", (site / "llms.txt").read_text("utf-8"), re.MULTILINE)
    assert (site / "docs" / "changelog.md").is_file()


def test_nothing_is_fetched_from_another_host(site: Path) -> None:
    for file in (*site.rglob("*.html"), *site.rglob("*.css")):
        text = file.read_text("utf-8")
        assert not re.search(r'(?:src|srcset)="(?:https?:)?//|url\(|@import', text), file
        assert not re.search(r'<link[^>]+href="(?:https?:)?//', text), file


def test_code_of_others_is_what_was_published() -> None:
    vendor = SOURCE / "assets" / "vendor"
    rows = re.findall(
        r"^\| `(\w+\.js)` .*`([0-9a-f]{64})` \|$",
        (vendor / "LICENSES.md").read_text(),
        re.MULTILINE,
    )
    have = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in vendor.glob("*.js")
    }

    assert dict(rows) == have


def test_a_build_without_the_site_says_what_to_do(tmp_path: Path) -> None:
    shutil.copy(SOURCE.parent / "Makefile", tmp_path)
    shutil.copy(SOURCE.parent / "app.py", tmp_path)
    made = subprocess.run(
        ["make", "build-ConsoleFunction", f"ARTIFACTS_DIR={tmp_path}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert made.returncode != 0
    assert "The site is not built. Run: make site" in made.stderr


def test_anchors_stay(site: Path) -> None:
    """Links from outside and from error messages lead to them: none may go."""
    kept = json.loads((Path(__file__).parents[1] / "data" / "anchors.json").read_text())
    now = {
        document.parent.relative_to(site / "docs").as_posix(): anchors(document)
        for document in documents(site, "docs")
    }
    gone = {page: set(ids) - now.get(page, set()) for page, ids in kept.items()}

    assert {page: ids for page, ids in gone.items() if ids} == {}
