"""What importing a function costs: cold starts pay for every module and every client made early."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
APPS = sorted(ROOT.glob("functions/*/app.py"))

#: Imports an app as Lambda does and reports what came with it. SSL contexts and clients are counted
#: by replacing what makes them, so that a client hidden in any library is found too.
PROBE = """
import json, ssl, sys

sys.path.insert(0, sys.argv[1])
made = []

class CountedContext(ssl.SSLContext):
    def __new__(cls, *args, **kwargs):
        made.append("ssl.SSLContext")
        return super().__new__(cls, *args, **kwargs)

ssl.SSLContext = CountedContext
before = set(sys.modules)
import app

for module, names in {
    "httpx": ["Client", "AsyncClient"],
    "httpcore": ["ConnectionPool", "AsyncConnectionPool"],
    "botocore.client": ["BaseClient"],
}.items():
    import gc
    if module in sys.modules:
        types = tuple(getattr(sys.modules[module], name) for name in names)
        made += [type(thing).__name__ for thing in gc.get_objects() if isinstance(thing, types)]
print(json.dumps({"made": made, "modules": sorted(set(sys.modules) - before)}))
"""


@pytest.fixture(scope="module", params=APPS, ids=lambda path: path.parent.name)
def imported(request: pytest.FixtureRequest) -> dict[str, Any]:
    result = subprocess.run(
        [sys.executable, "-c", PROBE, str(request.param.parent)],
        capture_output=True,
        text=True,
        check=True,
    )
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def test_every_function_is_looked_at() -> None:
    assert {path.parent.name for path in APPS} >= {
        "api_keys",
        "api_usage",
        "chat_completions",
        "models",
    }


def test_no_client_and_no_ssl_context_is_made(imported: dict[str, Any]) -> None:
    assert imported["made"] == []


@pytest.mark.parametrize(
    "package",
    [
        "boto3",
        "botocore",
        "httpx",
        "httpcore",
        "aws_lambda_powertools.tracing",
        "aws_xray_sdk",
        "losi.cli",
        "local",
    ],
)
def test_what_a_first_request_may_need_is_not_loaded(
    imported: dict[str, Any], package: str
) -> None:
    loaded = [
        name for name in imported["modules"] if name == package or name.startswith(f"{package}.")
    ]
    assert loaded == []
