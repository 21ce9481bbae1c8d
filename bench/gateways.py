"""The servers that are measured, each a process of its own, and what it has used so far."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.interpreter import PYTHON
from local.listening import wait_until_listening
from tests.dynamodb_local import dynamodb_environment, free_port, running_dynamodb
from tests.e2e.server import running_server

HERE = Path(__file__).parent
#: Peers are installed here, apart from the project (`make bench-peers`).
PEERS = HERE.parent / ".losi" / "peers"
TABLE = "losi-bench"


@dataclass(frozen=True)
class Gateway:
    name: str
    url: str
    pid: int
    #: By the format of the upstream behind it.
    headers: dict[str, dict[str, str]]
    models: dict[str, str]
    #: Of a figure's requests; one that takes long for each is asked fewer, in each second round.
    share: float = 1.0

    def cpu(self) -> float:
        """Seconds of CPU of the process, all its threads (Linux's clock of another process)."""
        return time.clock_gettime((~self.pid << 3) | 2)

    def resident(self) -> float:
        """MiB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def process(name: str, port: int, *command: str, **environment: str) -> Iterator[int]:
    started = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_listening(started, port, name)
        yield started.pid
    finally:
        started.terminate()
        started.wait()


@contextmanager
def provider() -> Iterator[str]:
    port = free_port()
    with process("the upstream", port, sys.executable, "-m", "bench.upstream", str(port)):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def store(upstream: str) -> Iterator[dict[str, str]]:
    """The environment of ours: DynamoDB Local, and where the provider is."""
    with running_dynamodb() as endpoint:
        yield {
            **dynamodb_environment(endpoint, TABLE),
            "LOSI_STORE_SECONDS": "60",  # DynamoDB Local on a busy machine is what is not measured
            "LOSI_OPENAI_BASE_URL": f"{upstream}/v1",
            "LOSI_OPENAI_API_KEY": "sk-bench",
            "LOSI_ANTHROPIC_BASE_URL": upstream,
            "LOSI_ANTHROPIC_API_KEY": "sk-bench",
        }


def direct(upstream: str) -> Gateway:
    """None: what the client costs by itself."""
    models = {"openai": "m", "anthropic": "m"}
    return Gateway("direct", f"{upstream}/v1/chat/completions", os.getpid(), {}, models)


@contextmanager
def make_run(folder: Path, environment: dict[str, str]) -> Iterator[Gateway]:
    """Authentication and ledger are on, as always."""
    with running_server(folder, free_port(), python=str(PYTHON), **environment) as server:
        key = {"authorization": f"Bearer {server.api_key}"}
        yield Gateway(
            "Losi",
            f"{server.base_url}/chat/completions",
            server.process.pid,
            {"openai": key, "anthropic": key},
            {"openai": "gpt-4o-mini", "anthropic": "claude-3.5-sonnet"},
        )


@contextmanager
def relay(upstream: str) -> Iterator[Gateway]:
    port = free_port()
    python = str(PEERS / "relay" / "bin" / "python")
    command = (python, str(HERE / "relay.py"), str(port), f"{upstream}/v1/chat/completions")
    with process("the relay", port, *command) as pid:
        yield Gateway("bare relay", f"http://127.0.0.1:{port}/v1", pid, {}, {"openai": "m"})


@contextmanager
def portkey(upstream: str) -> Iterator[Gateway]:
    port = free_port()
    start = PEERS / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    with process("Portkey", port, "node", str(start), f"--port={port}", "--headless") as pid:
        headers = {
            name: {
                "authorization": "Bearer sk-bench",
                "x-portkey-provider": name,
                "x-portkey-custom-host": f"{upstream}/v1",
            }
            for name in ("openai", "anthropic")
        }
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        yield Gateway("Portkey", url, pid, headers, {"openai": "m", "anthropic": "m"})


@contextmanager
def litellm(folder: Path, upstream: str) -> Iterator[Gateway]:
    """Its proxy, with one worker and without a database or keys."""
    port, config = free_port(), folder / "litellm.json"
    models = {"openai": "openai-m", "anthropic": "anthropic-m"}
    bases = {"openai": f"{upstream}/v1", "anthropic": upstream}
    rows = [
        {
            "model_name": name,
            "litellm_params": {
                "model": f"{format_}/m",
                "api_base": bases[format_],
                "api_key": "sk-bench",
            },
        }
        for format_, name in models.items()
    ]
    config.write_text(json.dumps({"model_list": rows}))  # JSON is YAML
    command = (str(PEERS / "litellm" / "bin" / "litellm"), "--config", str(config))
    options = ("--host", "127.0.0.1", "--port", str(port), "--telemetry", "False")
    with process("LiteLLM", port, *command, *options, LITELLM_LOCAL_MODEL_COST_MAP="True") as pid:
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        yield Gateway("LiteLLM", url, pid, {}, models, share=0.25)
