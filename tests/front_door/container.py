"""Functions as they are deployed: `sam build`'s output in containers of AWS's Lambda image.

    with containers(built_template, docker_environment) as function:
        with FrontDoor(template_routes(built_template, function), env) as door:
            ...

The image's own bootstrap starts the runtime, with the function in /var/task and the layer in /opt,
neither of them writable, as a user without rights, as in Lambda.
"""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from local.docker import IMAGE
from local.table import load_template
from tests.front_door.lambda_service import Function, MakeFunction
from tests.front_door.sandbox import Sandbox

LABEL = "losi-front-door"
LAMBDA_USER = "993:990"


@dataclass(frozen=True, kw_only=True)
class ContainerFunction(Function):
    layer: Path
    #: What the command docker needs to find its daemon.
    docker: Mapping[str, str]
    #: Marks the containers that go when the test is over, whatever has happened.
    label: str

    def sandbox(self, env: Mapping[str, str], logs: list[str]) -> Sandbox:
        name = f"losi-{self.name}-{uuid.uuid4().hex[:8]}"
        command = ["docker", "run", "--rm", f"--name={name}", f"--label={self.label}"]
        # As in Lambda the Runtime API is on 127.0.0.1; so nothing has to listen beyond it.
        command += ["--network=host", "--env=AWS_LAMBDA_RUNTIME_API"]
        command += ["--read-only", "--tmpfs=/tmp", f"--user={LAMBDA_USER}"]
        command += [f"--volume={self.directory}:/var/task:ro", f"--volume={self.layer}:/opt:ro"]
        command += [f"--env={variable}={value}" for variable, value in env.items()]
        command += [IMAGE, self.handler]
        return ContainerSandbox(name, command, self.directory, {**os.environ, **self.docker}, logs)


class ContainerSandbox(Sandbox):
    """Its process is `docker run`, which ends with the container but does not take it along."""

    def __init__(
        self,
        name: str,
        command: list[str],
        directory: Path,
        env: Mapping[str, str],
        logs: list[str],
    ) -> None:
        super().__init__(command, directory, env, logs)
        self._name = name
        self._docker = env

    def kill(self, signal_number: int = signal.SIGKILL) -> None:
        command = ["docker", "kill", f"--signal={signal_number}", self._name]
        if subprocess.run(command, env=self._docker, capture_output=True).returncode:
            super().kill(signal_number)  # there is no container, or not yet


@contextmanager
def containers(built_template: Path, docker: Mapping[str, str]) -> Iterator[MakeFunction]:
    """Yields what makes functions of this build; no container of theirs outlives the block."""
    layer = load_template(built_template)["Resources"]["LosiLayer"]["Properties"]["ContentUri"]
    label = f"{LABEL}={uuid.uuid4().hex}"
    try:
        yield partial(
            ContainerFunction, layer=built_template.parent / layer, docker=docker, label=label
        )
    finally:
        left = _run(docker, "ps", "--all", "--quiet", f"--filter=label={label}").split()
        for container in left:
            _run(docker, "rm", "--force", container)


@dataclass(frozen=True)
class Consumption:
    cpu_seconds: float
    resident_bytes: int


def consumption(function: str, docker: Mapping[str, str]) -> Consumption:
    """What the function's one container has taken since its start."""
    (container,) = _run(docker, "ps", "--quiet", f"--filter=name=losi-{function}-").split()
    stat, status = (
        _run(docker, "exec", container, "cat", f"/proc/1/{file}") for file in ("stat", "status")
    )
    # proc_pid_stat(5); the second field, the command's name in parentheses, may hold spaces
    user_ticks, system_ticks = stat.rpartition(")")[2].split()[11:13]
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return Consumption(
        (int(user_ticks) + int(system_ticks)) / os.sysconf("SC_CLK_TCK"),
        int(fields["VmRSS"].split()[0]) * 1024,
    )


def _run(docker: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run(
        ["docker", *arguments],
        env={**os.environ, **docker},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
