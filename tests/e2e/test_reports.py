"""Faults that users of other gateways reported do not happen here (tests/data/reports).

Each report says where it was made and what is right, and why.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from losi.catalogue.loader import SHIPPED, load
from losi.catalogue.models import Route
from losi.chat.prepare import prepare
from losi.chat.request import parse_chat_request
from losi.upstream.openai.request import request_body
from tests.dynamodb_local import free_port
from tests.e2e.server import ROOT, Server, running_server
from tests.lambda_process import event_loop
from tests.loose import Json
from tests.reports.checks import look, mistakes
from tests.reports.client import Client, read
from tests.reports.upstream import ScriptedUpstream

FOLDER = ROOT / "tests" / "data" / "reports"
REPORTS = sorted(path.stem for path in FOLDER.glob("*.json"))


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    scripted = ScriptedUpstream()
    yield scripted
    scripted.close()


@pytest.fixture(scope="module")
def reported(
    upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """`make run` whose providers are all the scripted one."""
    url = f"http://127.0.0.1:{upstream.port}"
    environment = {
        "LOSI_OPENAI_BASE_URL": f"{url}/v1",
        "LOSI_OPENAI_API_KEY": "k",
        "LOSI_ANTHROPIC_BASE_URL": url,
        "LOSI_ANTHROPIC_API_KEY": "k",
        "LOSI_BEDROCK_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": url,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    with running_server(tmp_path_factory.mktemp("reports"), free_port(), **environment) as running:
        yield running


@pytest.mark.parametrize("name", REPORTS)
def test_what_was_reported_elsewhere_is_right_here(
    name: str, reported: Server, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = json.loads((FOLDER / f"{name}.json").read_text())
    client, saved = Client(reported.base_url, reported.api_key), dict[str, Any]()
    found: list[str] = []
    for step in report["steps"]:
        upstream.script, upstream.seen = [dict(reply) for reply in step.get("upstream", [])], []
        before = client.used() if step.get("meter") else None
        if "prepare" in step:
            document = prepared(**step["prepare"])
        elif "event" in step:
            document = invoked(step["event"], step["function"], reported, monkeypatch)
        else:
            document = client.send(step["request"], saved)
        while document.get("status") == step.get("again_while_status"):  # until a key has expired
            document = client.send(step["request"], saved)
        document["upstream"], upstream.script = list(upstream.seen), []
        if before is not None:
            document["used"] = {key: now - before[key] for key, now in client.used().items()}
        found += mistakes(document, step.get("expect", []))
        saved |= {key: look(document, path) for key, path in step.get("save", {}).items()}
        heal(client, step)
    assert not found, report["right"]


def heal(client: Client, step: Json) -> None:
    """One good answer, so that a route this step made look ill is not skipped in what follows."""
    body = step.get("request", {}).get("json")
    if step.get("upstream") and isinstance(body, dict) and isinstance(body.get("model"), str):
        hi = {"model": body["model"], "messages": [{"role": "user", "content": "hi"}]}
        client.send({"json": hi}, {})


def prepared(provider: str, body: Json) -> Json:
    """What the catalogue and a provider's row make of a request, without asking anybody."""
    shipped = load(SHIPPED)
    row, model = shipped.providers[provider], shipped.models[body["model"]]
    made = prepare(parse_chat_request(body), model, Route(provider=row, model="some-model"))
    sent = request_body(row, made.body)
    return {"status": 200, "body": sent, "dropped": list(made.dropped)}


def invoked(event: Json, function: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> Json:
    """The answer of a function's Lambda handler, on the server's own table."""
    reach = json.loads((server.folder / ".losi" / "local.json").read_text())
    environment = {
        "AWS_ENDPOINT_URL_DYNAMODB": reach["dynamodb_endpoint"],
        "LOSI_TABLE": reach["table"],
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    event = json.loads(json.dumps(event).replace("$KEY", server.api_key))
    began = time.monotonic()
    with event_loop():
        answer = handler_of(ROOT / "functions" / function / "app.py")(event, Context())
    headers = dict(answer.get("headers") or {})
    headers |= {name: values[-1] for name, values in answer.get("multiValueHeaders", {}).items()}
    coded = answer.get("isBase64Encoded")
    data = base64.b64decode(answer["body"]) if coded else answer["body"].encode()
    return read(answer["statusCode"], headers, data, began)


def handler_of(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"function_{path.parent.name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.handler


class Context:
    aws_request_id = "r"
    function_name = "f"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000
