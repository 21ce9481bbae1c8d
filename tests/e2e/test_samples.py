"""Every sample that the documentation and the docs show runs as it is shown, on `make run`."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.site.markdown import BASE_URL, PLACEHOLDER
from local.site.reference import Operation, operations
from local.site.reference import samples as reference_samples
from tests.documentation import ROOT, Sample, documented_samples, guide_samples
from tests.dynamodb_local import NODE_MODULES
from tests.e2e.server import Server
from tests.obtain import skip_or_fail

#: As curl, Python or Node print an error's envelope.
ERROR_SHOWN = re.compile(r"\{\s*['\"]?error\b")
RUN = ("sh", "bash", "python", "javascript")
#: Stands in samples for a key that the reader has.
SHOWN_KEY_ID = "key_abc12345"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader's program would stand: OpenAI's SDK is installed, a picture lies there."""
    if (NODE_MODULES / "openai").is_dir():
        (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    (tmp_path / "cat.png").write_bytes(picture())
    return tmp_path


def picture() -> bytes:
    """A PNG of one grey pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixel = zlib.compress(b"\0\x80")
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def run(sample: Sample, server: Server, folder: Path) -> str:
    """What it prints, with the reader's base URL and key in it."""
    text = sample.text.replace(BASE_URL, server.base_url).replace(PLACEHOLDER, server.api_key)
    if SHOWN_KEY_ID in text:
        text = text.replace(SHOWN_KEY_ID, make_key(server))
    if sample.language == "javascript":
        if shutil.which("node") is None or not (folder / "node_modules").exists():
            skip_or_fail("Node.js or OpenAI's SDK is missing: run `npm ci --prefix tests`")
        (folder / "sample.mjs").write_text(f'const apiKey = "{server.api_key}";\n{text}')
        command = ["node", "sample.mjs"]
    elif sample.language == "python":
        command = [sys.executable, "-c", text]
    else:
        command = ["sh", "-ec", text]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert not ERROR_SHOWN.match(ran.stdout), ran.stdout
    return ran.stdout


def call(server: Server, method: str, path: str, body: Any = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {server.api_key}"}
    return httpx.request(method, f"{server.base_url}/{path}", json=body, headers=headers)


def make_key(server: Server) -> str:
    body = {"name": "shown", "permissions": ["models.list"]}
    made = call(server, "POST", "api-keys", body).json()["data"]["id"]
    return str(made)


@pytest.fixture(autouse=True)
def few_keys(server: Server) -> None:
    """The plan has ten keys, and samples make some."""
    for key in call(server, "GET", "api-keys").json()["data"]:
        if key["name"] != "Demo key":
            call(server, "DELETE", f"api-keys?id={key['id']}")


def shape(value: Any) -> Any:
    """Names and types; of a list, the shape of its first element."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def holds(shown: Any, given: Any) -> bool:
    """Whether an answer has all that the documentation shows; where null is shown, anything."""
    if isinstance(shown, dict):
        return isinstance(given, dict) and all(
            name in given and holds(each, given[name]) for name, each in shown.items()
        )
    if isinstance(shown, list):
        return isinstance(given, list) and (not shown or holds(shown[0], given[0]))
    return shown == "NoneType" or given in (shown, "NoneType")


DOCUMENTED = documented_samples()
PROGRAMS = [sample for sample in DOCUMENTED if sample.language in RUN]
(CHAT, ANSWER, OMEGA, TOOLS, MODELS, KEYS, NEW_KEY, MADE_KEY, DELETED, USAGE, ERROR) = [
    json.loads(sample.text) for sample in DOCUMENTED if sample.language == "json"
]


class TestTheDocumentation:
    @pytest.mark.parametrize("sample", PROGRAMS, ids=lambda sample: sample.id)
    def test_its_programs_run(self, sample: Sample, server: Server, folder: Path) -> None:
        run(sample, server, folder)

    @pytest.mark.parametrize("body", [CHAT, OMEGA, TOOLS], ids=["chat", "omega", "tools"])
    def test_its_requests_are_answered_as_shown(self, body: Any, server: Server) -> None:
        answer = call(server, "POST", "chat/completions", body)

        assert answer.status_code == 200, answer.text
        if "tools" not in body:
            assert holds(shape(ANSWER), shape(answer.json()))
            assert answer.json()["choices"][0]["finish_reason"] == "stop"

    def test_models(self, server: Server) -> None:
        answer = call(server, "GET", "models").json()

        assert holds(shape(MODELS), shape(answer))
        shown = {model["id"]: model for model in MODELS["data"]}
        for model in answer["data"]:
            if model["id"] in shown:
                assert shown[model["id"]].items() <= model.items()

    def test_keys(self, server: Server) -> None:
        past = call(server, "POST", "api-keys", NEW_KEY)
        assert past.status_code == 400 and "is in the past" in past.text

        made = call(server, "POST", "api-keys", {**NEW_KEY, "expires_at": "2099-12-31T23:59:59Z"})
        listed = call(server, "GET", "api-keys").json()
        deleted = call(server, "DELETE", f"api-keys?id={made.json()['data']['id']}")

        assert holds(shape(MADE_KEY), shape(made.json()))
        assert holds(shape(KEYS), shape(listed))
        assert listed["data"][0]["key"] == KEYS["data"][0]["key"]
        assert deleted.json() == DELETED

    def test_usage(self, server: Server) -> None:
        call(server, "POST", "chat/completions", CHAT)
        assert holds(shape(USAGE), shape(call(server, "GET", "api-usage").json()))

    def test_errors(self, server: Server) -> None:
        refused = httpx.get(f"{server.base_url}/models", headers={"Authorization": "Bearer no"})

        assert holds(shape(ERROR), shape(refused.json()))
        assert refused.json()["error"]["type"] == ERROR["error"]["type"]


GUIDE = guide_samples()


class TestTheGuides:
    @pytest.mark.parametrize(
        "sample", [each for each in GUIDE if each.language in RUN], ids=lambda sample: sample.id
    )
    def test_their_programs_run(self, sample: Sample, server: Server, folder: Path) -> None:
        run(sample, server, folder)

    @pytest.mark.parametrize(
        "sample", [each for each in GUIDE if each.language == "json"], ids=lambda sample: sample.id
    )
    def test_their_json_is_json_and_their_requests_are_answered(
        self, sample: Sample, server: Server
    ) -> None:
        body = json.loads(sample.text)
        if "messages" in body:
            answer = call(server, "POST", "chat/completions", body)
            assert answer.status_code == 200, answer.text

    def test_every_language_is_run_or_read(self) -> None:
        assert {sample.language for sample in GUIDE} <= {*RUN, "json", "toml", "yaml"}


OPERATIONS = operations(json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8")))


class TestTheReference:
    @pytest.mark.parametrize("language", ["sh", "python", "javascript"])
    @pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.slug)
    def test_its_samples_run(
        self, operation: Operation, language: str, server: Server, folder: Path
    ) -> None:
        samples = dict(reference_samples(operation))
        run(Sample(language, samples[language], operation.slug), server, folder)
