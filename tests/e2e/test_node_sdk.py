"""OpenAI's npm SDK against `make run`: the tests themselves are JavaScript (node_sdk.mjs)."""

import shutil
import subprocess
from pathlib import Path

from tests.dynamodb_local import NODE_MODULES
from tests.e2e.server import Server
from tests.obtain import skip_or_fail

SCRIPT = Path(__file__).with_name("node_sdk.mjs")


def test_the_npm_sdk(server: Server) -> None:
    if shutil.which("node") is None or not (NODE_MODULES / "openai").is_dir():
        skip_or_fail("The npm SDK is missing: install Node.js, then `npm ci --prefix tests`")

    ran = subprocess.run(
        ["node", "--test", str(SCRIPT)],
        env=server.environment,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
