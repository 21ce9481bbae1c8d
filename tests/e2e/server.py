"""`make run`'s own server as a process, on a port of its own, for tests that act as its users."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Server:
    base_url: str
    api_key: str
    folder: Path
    process: subprocess.Popen[str]
    #: What it printed after the banner; whole once it has stopped.
    log: list[str]

    @property
    def environment(self) -> dict[str, str]:
        """What OpenAI's SDKs read by themselves."""
        return {**os.environ, "OPENAI_BASE_URL": self.base_url, "OPENAI_API_KEY": self.api_key}


@contextmanager
def running_server(
    folder: Path, port: int, *, python: str = sys.executable, **environment: str
) -> Iterator[Server]:
    """Start it with `folder` as its working directory, where it keeps `.losi/`; stop by SIGTERM."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LOSI_", "OPENAI_", "AWS_"))
    }
    process = subprocess.Popen(
        [python, "-m", "local"],
        cwd=folder,
        env={
            **inherited,
            "PYTHONPATH": f"{ROOT / 'shared'}:{ROOT}",
            "PORT": str(port),
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as output:
        try:
            api_key = _wait_for_banner(output)
            # its log must be read, or it would block once the pipe is full
            log: list[str] = []
            reader = threading.Thread(target=log.extend, args=(output,), daemon=True)
            reader.start()
            yield Server(f"http://127.0.0.1:{port}/api/v1", api_key, folder, process, log)
            process.terminate()  # unless the block has killed it
            reader.join(timeout=30)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait_for_banner(output: IO[str]) -> str:
    """The demo key, once the banner was printed to its end."""
    api_key, printed = "", []
    for line in output:
        printed.append(line)
        if "Demo key" in line:
            api_key = line.split()[-1]
        if line.startswith("Stop with Ctrl-C"):
            return api_key
    raise AssertionError("the server did not start:\n" + "".join(printed))
