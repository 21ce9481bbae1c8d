"""A Docker daemon for `sam local`: the one that runs, or one of our own where we may start it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.python313 import python313_environment

MACHINE = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "?")
IMAGE = f"public.ecr.aws/lambda/python:3.13-{MACHINE}"
START_SECONDS = 60

#: Tried in this order: as on any server, without a firewall, without a layered file system.
DAEMON_OPTIONS: tuple[list[str], ...] = (
    [],
    ["--iptables=false", "--ip6tables=false"],
    ["--iptables=false", "--ip6tables=false", "--storage-driver=vfs"],
)


class DockerUnavailableError(Exception):
    """Docker cannot run here. The message says why, and what would help."""


@contextmanager
def docker() -> Iterator[dict[str, str]]:
    """Yields the environment variables with which Docker's clients find a daemon."""
    if shutil.which("docker") is None:
        raise DockerUnavailableError("The command docker is missing. Install Docker (docker.io).")
    if _succeeds(["docker", "version"], {}):
        yield {}
        return
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        raise DockerUnavailableError(
            "No Docker daemon answers, and none can be started here: that takes root and the "
            "command dockerd (package docker.io). Start Docker and try again."
        )
    with _own_daemon() as host:
        yield {"DOCKER_HOST": host}


def ensure_image(environment: dict[str, str]) -> None:
    """Pull AWS's base image; if no registry can be reached, build a stand-in from this machine."""
    if _succeeds(["docker", "image", "inspect", IMAGE], environment):
        return
    if _succeeds(["docker", "pull", IMAGE], environment):
        return
    script = Path(__file__).with_name("lambda-image")
    made = subprocess.run(
        [str(script), IMAGE],
        env={**os.environ, **environment, **python313_environment()},
        capture_output=True,
        text=True,
    )
    if made.returncode:
        raise DockerUnavailableError(
            f"{IMAGE} can neither be pulled nor replaced by a stand-in:\n{made.stderr}"
        )


def _succeeds(command: list[str], environment: dict[str, str]) -> bool:
    environment = {**os.environ, **environment}
    return subprocess.run(command, env=environment, capture_output=True).returncode == 0


@contextmanager
def _own_daemon() -> Iterator[str]:
    """A daemon that shares nothing with other daemons and leaves nothing on the machine."""
    folder = Path(tempfile.mkdtemp(prefix="losi-docker-"))
    host = f"unix://{folder / 'docker.sock'}"
    try:
        daemon = _start_daemon(folder, host)
        try:
            yield host
        finally:
            daemon.terminate()
            daemon.wait()
    finally:
        # dockerd leaves this mounted if containers shared this machine's network
        network = folder / "exec" / "netns" / "default"
        if os.path.ismount(network):  # Path.is_mount is false for any file
            subprocess.run(["umount", str(network)], check=True)
        shutil.rmtree(folder, ignore_errors=True)


def _start_daemon(folder: Path, host: str) -> subprocess.Popen[bytes]:
    log = folder / "log"
    for options in DAEMON_OPTIONS:
        command = ["dockerd", "--host", host, "--pidfile", str(folder / "pid"), *options]
        command += ["--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")]
        with log.open("wb") as output:
            daemon = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C must not stop the daemon before its containers
            )
        if _wait_until_answering(daemon, host):
            return daemon
    last_words = log.read_text(errors="replace").strip().splitlines()[-3:]
    raise DockerUnavailableError("dockerd does not start here:\n" + "\n".join(last_words))


def _wait_until_answering(daemon: subprocess.Popen[bytes], host: str) -> bool:
    for _ in range(START_SECONDS * 5):
        if _succeeds(["docker", "version"], {"DOCKER_HOST": host}):
            return True
        try:
            daemon.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            continue
        return False
    daemon.kill()
    daemon.wait()
    return False
