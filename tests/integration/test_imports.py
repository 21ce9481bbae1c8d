"""What importing a function costs: cold starts pay for every module and every client made early."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from losi.web.endpoints import FUNCTIONS

ROOT = Path(__file__).parents[2]
APPS = sorted(ROOT.glob("functions/*/app.py"))

#: Imports an app as Lambda does and reports what came with it. SSL contexts are counted where they
#: are made, clients found among all objects alive, so that those hidden in a library show up too.
PROBE = """
import gc, json, ssl, sys

sys.path.insert(0, sys.argv[1])
made = []

new_context = ssl.SSLContext.__new__

def counted(cls, *args, **kwargs):
    made.append("SSLContext")
    return new_context(cls, *args, **kwargs)

ssl.SSLContext.__new__ = counted
before = set(sys.modules)
import app

for module, names in {
    "httpx": ["Client", "AsyncClient"],
    "httpcore": ["ConnectionPool", "AsyncConnectionPool"],
    "botocore.client": ["BaseClient"],
}.items():
    if module in sys.modules:
        types = tuple(getattr(sys.modules[module], name) for name in names)
        made += [type(thing).__name__ for thing in gc.get_objects() if isinstance(thing, types)]
print(json.dumps({"made": made, "modules": sorted(set(sys.modules) - before)}))
"""


def probe(folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-c", PROBE, str(folder)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def package(module: str) -> str:
    return module.partition(".")[0]


@pytest.fixture(scope="module", params=APPS, ids=lambda path: path.parent.name)
def imported(request: pytest.FixtureRequest) -> dict[str, Any]:
    folder = request.param.parent
    return {**probe(folder), "function": folder.name}


def test_the_probe_sees_clients_and_contexts(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import boto3, httpx\n"
        "one = httpx.AsyncClient()\n"
        "two = boto3.client('dynamodb', region_name='us-east-1')\n"
    )

    assert {"SSLContext", "AsyncClient", "DynamoDB"} <= set(probe(tmp_path)["made"])


#: What every cold start loads beyond Python itself. A new name here has to be worth its time.
PACKAGES = {
    "_cython_3_3_0",  # of httptools
    "annotated_doc",
    "annotated_types",
    "anyio",
    "app",
    "cython_runtime",  # of httptools
    "fastapi",
    "httptools",  # reads the store's answers, and the providers'
    "losi",
    "mangum",
    "opentelemetry",  # fastapi's tracing hooks; its SDK stays out
    "orjson",
    "pydantic",
    "pydantic_core",
    "sniffio",  # anyio takes it where a development tool has brought it
    "starlette",
    "typing_extensions",
    "typing_inspection",
}


def test_every_function_is_looked_at() -> None:
    names = {path.parent.name for path in APPS}

    assert names == {*FUNCTIONS, "canary", "console", "settlements"} == MOST_MODULES.keys()


def test_no_client_and_no_ssl_context_is_made(imported: dict[str, Any]) -> None:
    assert imported["made"] == []


def test_only_the_packages_of_every_request_are_loaded(imported: dict[str, Any]) -> None:
    """So neither boto3 nor httpx, which wait for the first request, nor a tracing SDK."""
    packages = set(map(package, imported["modules"]))
    python = {name for name in packages if name.startswith("_sysconfigdata_")}

    if "losi.web.openid_connect" in imported["modules"]:
        return  # sign-in alone calls an issuer, and has what it needs in its own package
    assert packages - python - sys.stdlib_module_names <= PACKAGES


#: Modules beyond Python's own that a function may load, about a twentieth more than were counted. A
#: new one has to be worth its time at every cold start.
MOST_MODULES = {
    **dict.fromkeys(["api_keys", "api_usage", "audit_log", "models", "session"], 310),
    "canary": 30,
    "chat_completions": 225,
    "console": 35,
    "embeddings": 215,
    "health": 285,
    "openapi": 290,
    "operator": 315,
    "profile": 295,
    "sign_in": 425,
    "settlements": 102,
}


def test_a_function_loads_few_modules(imported: dict[str, Any]) -> None:
    others = [name for name in imported["modules"] if package(name) not in sys.stdlib_module_names]

    assert len(others) <= MOST_MODULES[imported["function"]], others


def test_what_streams_starts_without_fastapi(imported: dict[str, Any]) -> None:
    if imported["function"] in ("chat_completions", "embeddings"):
        assert not {"fastapi", "opentelemetry"} & set(map(package, imported["modules"]))


def test_no_program_of_the_operator_is_loaded(imported: dict[str, Any]) -> None:
    assert not {"losi.cli", "losi.aws.runtime"} & set(imported["modules"])
