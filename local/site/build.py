"""Builds the site into a new folder, which then takes the place of the old one."""

import gzip
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from local.site.assets import build_assets
from local.site.console import console_documents
from local.site.docs import docs_documents
from losi.web.site import SUPPORT_MARK

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "functions" / "console" / "site"
PUBLIC = ROOT / "functions" / "console" / "public"
GUIDES = ROOT / "docs" / "guides"
OPENAPI = ROOT / "docs" / "openapi.json"
MANIFEST = "manifest.json"
COMPRESSED = {".html", ".css", ".js", ".svg", ".json", ".md", ".txt"}


def ensure_site() -> Path:
    """The site's folder, built again if its sources have changed."""
    stamp = _fingerprint()
    manifest = PUBLIC / MANIFEST
    if not manifest.is_file() or json.loads(manifest.read_text())["sources"] != stamp:
        _replace(stamp)
    return PUBLIC


def build(folder: Path, stamp: str) -> None:
    """Write everything that is served, and the manifest: path -> ETag, and which files name
    support.
    """
    assets = build_assets(SOURCE / "assets", folder / "console" / "assets")
    files = {**console_documents(assets), **docs_documents(GUIDES, OPENAPI, assets)}
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
    tags = {}
    for file in sorted(each for each in folder.rglob("*") if each.is_file()):
        content = file.read_bytes()
        tags[file.relative_to(folder).as_posix()] = hashlib.sha256(content).hexdigest()[:16]
        if file.suffix in COMPRESSED:
            packed = gzip.compress(content, 9, mtime=0)
            file.with_name(file.name + ".gz").write_bytes(packed)
    support = [path for path, text in files.items() if SUPPORT_MARK in text]
    manifest = {"sources": stamp, "files": tags, "support": support}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")


def _replace(stamp: str) -> None:
    """Put the new folder in place. Several processes may build at once: each builds in a folder of
    its own, and the last one wins.
    """
    aside = Path(tempfile.mkdtemp(prefix=".public-", dir=PUBLIC.parent))
    try:
        build(aside, stamp)
        aside.chmod(0o755)
        old = Path(tempfile.mkdtemp(prefix=".public-", dir=PUBLIC.parent))
        if PUBLIC.exists():
            PUBLIC.rename(old / "public")
        aside.rename(PUBLIC)
        shutil.rmtree(old)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for file in _sources():
        digest.update(file.relative_to(ROOT).as_posix().encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _sources() -> Iterator[Path]:
    for folder in (SOURCE, GUIDES, Path(__file__).parent, ROOT / "shared/losi/catalogue"):
        files = (each for each in folder.rglob("*") if each.is_file())
        yield from sorted(each for each in files if "__pycache__" not in each.parts)
    yield from (file for file in (OPENAPI, ROOT / "CHANGELOG.md") if file.is_file())
