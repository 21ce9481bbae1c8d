"""A real OpenID Connect provider (npm oidc-provider) as a process, and a browser that visits it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.obtain import skip_or_fail

TESTS = Path(__file__).parent


@contextmanager
def running_provider(redirect_uri: str) -> Iterator[str]:
    """Its issuer URL. Whoever `login_hint` names is signed in, without a password."""
    node = shutil.which("node")
    if node is None or not (TESTS / "node_modules" / "oidc-provider").is_dir():
        skip_or_fail("npm's oidc-provider is missing: make tests/node_modules/.installed")
    process = subprocess.Popen(
        [node, "openid_provider.mjs", redirect_uri], cwd=TESTS, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout as output:
        try:
            yield f"http://127.0.0.1:{int(output.readline())}"
        finally:
            process.terminate()
            process.wait(timeout=10)


async def visit(url: str, redirect_uri: str, hint: str = "ada") -> dict[str, str]:
    """Follow the provider's pages like a browser; returns what it sends back to us."""
    async with httpx.AsyncClient() as browser:
        url = f"{url}&login_hint={hint}"
        for _ in range(10):
            response = await browser.get(url)
            assert response.status_code in (302, 303), response.text
            url = str(httpx.URL(url).join(response.headers["location"]))
            if url.startswith(redirect_uri):
                return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    raise AssertionError("the provider did not send the browser back")
