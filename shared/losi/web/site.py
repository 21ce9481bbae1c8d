"""Serves the console and the docs, the files of `make site`, as a plain ASGI app.

It imports no framework and reads no table, so that a first visit waits for neither.
"""

import gzip
import hashlib
import html
import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from losi.web.headers import request_id_of
from losi.web.unknown_url import meant, unknown_url

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = dict[str, str]

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
SECURITY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # no-referrer would make forms send `Origin: null`
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
#: Replaced by the operator's address, which is not known when the files are made.
SUPPORT_MARK = "%SUPPORT%"
NO_ADDRESS = "the address that your operator gave you"


class Site:
    """`support` is where people get help: an e-mail address, a URL or ""."""

    def __init__(self, folder: Path, support: str = "") -> None:
        self._folder = folder
        self._support = support

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads((self._folder / "manifest.json").read_text())
        return manifest

    @property
    def _files(self) -> dict[str, str]:
        """Path -> ETag. Files that are not listed are not served, whatever the path says."""
        files: dict[str, str] = self._manifest["files"]
        return files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        status, headers, body = self._answer(scope)
        if scope.get("scheme") == "https":
            headers["strict-transport-security"] = "max-age=31536000"
        headers["x-request-id"] = request_id_of(scope)
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        raw.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": raw})
        sent = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": sent})

    def _answer(self, scope: Scope) -> tuple[int, Headers, bytes]:
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        path, prefix = scope["path"], stage_prefix(scope)
        if scope["method"] not in ("GET", "HEAD"):
            return self._missing(scope, headers, path, prefix)
        if path in ("", "/"):
            # the session may have ended; the console then asks to sign in
            start = "console" if "losi-" in headers.get("cookie", "") else "docs"
            return _redirect(f"{prefix}/{start}/")
        name = path.strip("/")
        if f"{name}/index.html" in self._files:
            if not path.endswith("/"):
                query = scope.get("query_string", b"").decode("latin-1")
                return _redirect(f"{prefix}/{quote(name)}/" + (f"?{query}" if query else ""))
            return self._file(scope, headers, f"{name}/index.html")
        if name in self._files and name != "404.html" and not path.endswith("/"):
            return self._file(scope, headers, name)
        return self._missing(scope, headers, path, prefix)

    def _file(self, scope: Scope, headers: Headers, name: str) -> tuple[int, Headers, bytes]:
        filled = self._filled(name)
        own = hashlib.sha256(filled).hexdigest()[:16] if filled else self._files[name]
        tag = f'"{own}"'
        answer = {
            "etag": tag,
            "cache-control": _caching(name),
            "vary": "accept-encoding",
            **_page_headers(scope),
        }
        if tag in headers.get("if-none-match", ""):
            return 304, answer, b""
        answer["content-type"] = TYPES[Path(name).suffix]
        file = self._folder / name
        packed = file.with_name(file.name + ".gz")
        if "gzip" in headers.get("accept-encoding", "") and _may_compress() and packed.is_file():
            answer["content-encoding"] = "gzip"
            return 200, answer, gzip.compress(filled) if filled else packed.read_bytes()
        return 200, answer, filled or file.read_bytes()

    def _filled(self, name: str) -> bytes | None:
        """The file with the support address filled in; None if it has no place for it."""
        if name not in self._manifest["support"]:
            return None
        text = (self._folder / name).read_text("utf-8")
        page = name.endswith(".html")
        words = link(self._support) if page else self._support
        return text.replace(SUPPORT_MARK, words or NO_ADDRESS).encode()

    def _missing(
        self, scope: Scope, headers: Headers, path: str, prefix: str
    ) -> tuple[int, Headers, bytes]:
        """A 404: a page for people, our error envelope for programs."""
        if "text/html" not in headers.get("accept", ""):
            error = {
                "message": unknown_url(scope["method"], path, prefix),
                "type": "invalid_request_error",
                "param": None,
                "code": "unknown_url",
            }
            answer = {"content-type": "application/json", "access-control-allow-origin": "*"}
            return 404, answer, json.dumps({"error": error}).encode()
        found = meant(path)
        url = html.escape(f"{prefix}{found}")
        help = f"<p class='lead'>The API is at <code>{url}</code>.</p>" if found else ""
        page = (self._folder / "404.html").read_text("utf-8")
        filled = (
            page.replace("%HELP%", help)
            .replace("%PREFIX%", html.escape(prefix))
            .replace("%PATH%", html.escape(prefix + path))
        )
        body, answer = (
            filled.encode(),
            {"content-type": TYPES[".html"], "cache-control": "no-store"},
        )
        if "gzip" in headers.get("accept-encoding", "") and _may_compress():
            answer["content-encoding"], body = "gzip", gzip.compress(body)
        return 404, {**answer, **_page_headers(scope)}, body


def link(address: str) -> str:
    """An e-mail address or URL as an HTML link; other text stays text."""
    words = html.escape(address)
    if address.startswith("https://"):
        return f'<a href="{words}">{words}</a>'
    return f'<a href="mailto:{words}">{words}</a>' if "@" in address else words


def stage_prefix(scope: Scope) -> str:
    """`/prod` if API Gateway's stage is part of the URL, else ""."""
    context = (scope.get("aws.event") or {}).get("requestContext") or {}
    whole, path = unquote(context.get("path") or ""), scope["path"]
    return whole.removesuffix(path).rstrip("/") if whole.endswith(path) else whole.rstrip("/")


def _page_headers(scope: Scope) -> Headers:
    upgrade = "; upgrade-insecure-requests" if scope.get("scheme") == "https" else ""
    return {**SECURITY, "content-security-policy": POLICY + upgrade}


def _caching(name: str) -> str:
    """Assets have their hash in their names, so they never change; documents are revalidated each
    time.
    """
    return "max-age=31536000, immutable" if name.startswith("console/assets/") else "no-cache"


def _may_compress() -> bool:
    """`sam local` handles bodies as text unless the API declares binary types."""
    return "AWS_SAM_LOCAL" not in os.environ


def _redirect(location: str) -> tuple[int, Headers, bytes]:
    return 302, {"location": location, "cache-control": "no-store"}, b""
