"""Every client against `make run`, with providers that refuse what real ones refuse.

    python -m tests.clients FOLDER            asks, and prints what was answered
    python -m tests.clients FOLDER record     writes tests/data/clients anew

`make clients` fills FOLDER with what requirements-*.txt and package.json name. Each client is a
process; those of `newer` and `older` cannot be installed together.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.clients.recorder import Recorder
from tests.contract.conformance.world import environment
from tests.dynamodb_local import free_port
from tests.e2e.server import running_server
from tests.strict_upstream import StrictUpstream

HERE = Path(__file__).parent
DATA = HERE.parent / "data" / "clients"
MODELS = ("claude-3.5-sonnet", "losi-omega")
#: Packages that need newer versions of what the others need.
NEWER = ("instructor", "pydantic-ai-slim")
#: The package whose version is noted, by client.
PACKAGES = {
    "openai_parse": "openai",
    "openai_parse_bounds": "openai",
    "openai_parse_tool": "openai",
    "instructor_tools": "instructor",
    "instructor_json_schema": "instructor",
    "pydantic_ai_native": "pydantic-ai-slim",
    "pydantic_ai_tool": "pydantic-ai-slim",
    "langchain_json_schema": "langchain-openai",
    "langchain_function_calling": "langchain-openai",
    "haystack": "haystack-ai",
    "semantic_kernel": "semantic-kernel",
    "autogen": "autogen-ext",
    "agno": "agno",
    "llm_schema": "llm",
}
NODE_PACKAGES = {
    "zod_parse": "openai",
    "generate_object": "@ai-sdk/openai",
    "generate_object_compatible": "@ai-sdk/openai-compatible",
}


class Clients:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._node = folder / "node"

    def _python(self, name: str) -> str:
        venv = "newer" if PACKAGES[name] in NEWER else "older"
        return str(self._folder / venv / "bin" / "python")

    def ask(self, name: str, model: str, base_url: str, api_key: str) -> str | None:
        """The last line of its complaint, or None when it got its value."""
        folder = self._node if name in NODE_PACKAGES else HERE
        if name in NODE_PACKAGES:  # which looks for its packages beside the file
            shutil.copy(HERE / "asks.mjs", folder / "asks.mjs")
        command = ["node", "asks.mjs"]
        if name not in NODE_PACKAGES:
            command = [self._python(name), "asks.py"]
        inherited = {n: v for n, v in os.environ.items() if n not in ("PYTHONPATH", "VIRTUAL_ENV")}
        told = subprocess.run(
            [*command, name, model],
            cwd=folder,
            env={**inherited, "OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": api_key},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        lines = [line for line in told.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if re.search(r"error|exception", line, re.IGNORECASE)]
        return None if told.returncode == 0 else (errors or lines or ["no word"])[-1][:300]

    def version(self, name: str) -> str:
        if name in NODE_PACKAGES:
            file = self._node / "node_modules" / NODE_PACKAGES[name] / "package.json"
            return f"{NODE_PACKAGES[name]} {json.loads(file.read_text())['version']} (npm)"
        package = PACKAGES[name]
        code = f"from importlib.metadata import version; print(version({package!r}))"
        told = subprocess.run(
            [self._python(name), "-c", code], capture_output=True, text=True, check=True
        )
        return f"{package} {told.stdout.strip()}"


def record(clients: Clients) -> int:
    failed = 0
    for name in (*PACKAGES, *NODE_PACKAGES):
        recorder = Recorder()
        complaint = clients.ask(name, "MODEL", recorder.base_url, "k")
        recorder.close()
        say(f"{name}: {complaint or 'recorded'}")
        failed += complaint is not None
        if recorder.bodies:
            noted = {"client": clients.version(name), "body": recorder.bodies[0]}
            (DATA / f"{name}.json").write_text(json.dumps(noted, indent=1) + "\n", "utf-8")
    return failed


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def ask_all(clients: Clients) -> int:
    failed = 0
    async with StrictUpstream() as upstream:
        with (
            tempfile.TemporaryDirectory() as folder,
            running_server(Path(folder), free_port(), **environment(upstream)) as server,
        ):
            for name in (*PACKAGES, *NODE_PACKAGES):
                for model in MODELS:
                    complaint = await asyncio.to_thread(
                        clients.ask, name, model, server.base_url, server.api_key
                    )
                    failed += complaint is not None
                    say(f"{model:20} {name:28} {complaint or 'ok'}")
    say(f"{failed} failed")
    return failed


def main() -> int:
    clients = Clients(Path(sys.argv[1]).absolute())
    if sys.argv[2:] == ["record"]:
        return record(clients)
    return asyncio.run(ask_all(clients))


if __name__ == "__main__":
    sys.exit(min(main(), 1))
