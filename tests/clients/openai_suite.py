"""OpenAI's own tests of its Python SDK against `make run`, whose providers refuse what real ones
refuse: `make openai-suite`, outside CI.

    python -m tests.clients.openai_suite FOLDER [write]

FOLDER holds the unpacked source of the SDK as `openai-VERSION`, and `venv`, in which it runs;
`write` writes docs/conformance/openai-suite.md anew. The suite names models of its own and was made
for a mock that takes whatever it is sent, so a proxy sets model and key on the way, and what OpenAI
itself refuses of its parameters.
"""

import asyncio
import http.client
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.contract.conformance.world import environment
from tests.dynamodb_local import free_port
from tests.e2e.server import running_server
from tests.strict_upstream import StrictUpstream

PAGE = Path(__file__).parents[2] / "docs" / "conformance" / "openai-suite.md"
MODELS = ("gpt-4o", "claude-3.5-sonnet", "losi-omega")
CREATE = "create a completion"
ALL = "create, with every parameter at once"
STORED = "stored completions: retrieve, update, list, delete, messages"
_NOT_FORWARDED = {"host", "content-length", "authorization", "connection", "accept-encoding"}
_NOT_RETURNED = {"transfer-encoding", "content-length", "connection"}
HEAD = """# OpenAI's own test suite

Written by `make openai-suite`: the tests of chat completions (`tests/api_resources/chat`) from the
source of OpenAI's Python SDK {version}, against `make run`, whose providers are doubles that refuse
what the providers refuse (tests/strict_upstream). Each client of the suite counts by itself:
synchronous, asynchronous, strict and loose. `tests/lib/chat` asks no server.

The suite was made for a mock that takes anything. OpenAI refuses what two of its requests say, and
so does this API: `max_tokens: 0` beside `max_completion_tokens: 0` is sent as a limit of 16, and
`stream_options` only with `stream`. All else is sent as the suite has it, strict tools that are no
JSON schema included.

Completions are not stored here (`store` is passed on to OpenAI, which may then have them), so there
is nothing to retrieve, update, list or delete: these requests are a 404 or a 405. What passes of
them asks no server.

| tests | {models} |
|---|{columns}|
"""


def as_openai_takes_it(body: dict[str, object]) -> dict[str, object]:
    body = dict(body)
    if body.get("max_completion_tokens") == 0:
        body.pop("max_tokens", None)
        body["max_completion_tokens"] = 16
    if not body.get("stream"):
        body.pop("stream_options", None)
    return body


@contextmanager
def proxy(base_url: str, api_key: str, model: str) -> Iterator[str]:
    """Leads to the API, with key and model set; gives its own base URL."""
    place = urlsplit(base_url)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: pytest says what there is to say."""

        def forward(self) -> None:
            sent = self.rfile.read(int(self.headers.get("content-length") or 0))
            if sent and self.path.endswith("/chat/completions"):
                sent = json.dumps(as_openai_takes_it({**json.loads(sent), "model": model})).encode()
            kept = {n: v for n, v in self.headers.items() if n.lower() not in _NOT_FORWARDED}
            upstream = http.client.HTTPConnection(place.netloc, timeout=60)
            headers = {**kept, "Authorization": f"Bearer {api_key}"}
            upstream.request(self.command, place.path + self.path, sent or None, headers)
            answer = upstream.getresponse()
            body = answer.read()
            upstream.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _NOT_RETURNED:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:  # a client that read the status alone
                self.close_connection = True

        do_GET = do_POST = do_DELETE = forward

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def group(name: str) -> str:
    if "create_with_all_params" in name:
        return ALL
    return CREATE if "_create_" in name else STORED


def run(folder: Path, base_url: str) -> tuple[Counter[str], Counter[str]]:
    """Of each group of tests, how many passed, and how many there are."""
    [source] = folder.glob("openai-*/")
    report = folder / "report.xml"
    options = ["-q", "-p", "no:cacheprovider", "-o", "addopts=", "--tb=no", f"--junitxml={report}"]
    subprocess.run(
        [str(folder / "venv/bin/python"), "-m", "pytest", *options, "tests/api_resources/chat"],
        cwd=source,
        env={**os.environ, "TEST_API_BASE_URL": base_url, "PYTHONPATH": "src"},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    passed, total = Counter[str](), Counter[str]()
    for case in ET.parse(report).iter("testcase"):
        name = group(str(case.get("name")))
        total[name] += 1
        passed[name] += not case.findall("failure") + case.findall("error")
    return passed, total


async def run_all(folder: Path) -> dict[str, tuple[Counter[str], Counter[str]]]:
    results = {}
    async with StrictUpstream() as upstream:
        with (
            tempfile.TemporaryDirectory() as files,
            running_server(Path(files), free_port(), **environment(upstream)) as server,
        ):
            for model in MODELS:
                with proxy(server.base_url, server.api_key, model) as url:
                    results[model] = await asyncio.to_thread(run, folder, url)
    return results


def page(version: str, results: Mapping[str, tuple[Counter[str], Counter[str]]]) -> str:
    rows = [
        f"| {name} | "
        + " | ".join(f"{passed[name]} of {total[name]}" for passed, total in results.values())
        + " |"
        for name in (CREATE, ALL, STORED)
    ]
    head = HEAD.format(version=version, models=" | ".join(results), columns="---|" * len(results))
    return head.replace("||\n", "|\n") + "\n".join(rows) + "\n"


def main() -> int:
    folder = Path(sys.argv[1]).absolute()
    results = asyncio.run(run_all(folder))
    [source] = folder.glob("openai-*/")
    written = page(source.name.removeprefix("openai-"), results)
    sys.stdout.write(written)
    if sys.argv[2:] == ["write"]:
        PAGE.write_text(written, "utf-8")
    wanted = (CREATE, ALL)
    return int(any(passed[g] < total[g] for passed, total in results.values() for g in wanted))


if __name__ == "__main__":
    sys.exit(main())
