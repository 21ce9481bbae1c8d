"""The SAM CLI as this project uses it: build, and `sam local start-api`.

It lives in a virtual environment of its own, because its pins conflict with ours.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import signal
import socket
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from local.docker import MACHINE
from local.listening import wait_until_listening
from local.python313 import python313_environment
from local.site.build import ensure_site
from local.table import TEMPLATE, load_template

ROOT = TEMPLATE.parent
SAM_PYTHON = ROOT / ".venv-sam" / "bin" / "python"
BUILD = ROOT / ".aws-sam" / "build"
#: The operator's answers and settings of stacks, beside the shipped samconfig.toml and out of Git.
SHIPPED_SETTINGS, OWN_SETTINGS = ROOT / "samconfig.toml", ROOT / "samconfig.local.toml"
DEFAULT = "default"
#: This machine's name inside containers.
DOCKER_HOST_NAME = "host.docker.internal"


class SamFailedError(Exception):
    """The SAM CLI is missing, or one of its commands failed."""


def executable() -> str:
    own = ROOT / ".venv-sam" / "bin" / "sam"
    found = str(own) if own.exists() else shutil.which("sam")
    if found is None:
        raise SamFailedError("The SAM CLI is missing: run `make sam-venv`.")
    return found


def environment() -> dict[str, str]:
    defaults = {"AWS_DEFAULT_REGION": "us-east-1"}  # SAM asks for it even if nothing reaches AWS
    return {**defaults, **os.environ, "SAM_CLI_TELEMETRY": "0"}


def run(*arguments: str) -> str:
    """Run one command of the SAM CLI to its end and return what it printed."""
    done = subprocess.run(
        [executable(), *arguments],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise SamFailedError(f"sam {' '.join(arguments)} failed:\n{done.stdout}")
    return done.stdout


def translated(layer_version: str = "1", **parameters: str) -> dict[str, Any]:
    """template.yaml's resources as CloudFormation gets them. `layer_version`: of its contents."""
    if not SAM_PYTHON.exists():
        raise SamFailedError("The SAM CLI is missing: run `make sam-venv`.")
    script = str(Path(__file__).with_name("translate.py"))
    done = subprocess.run(
        [str(SAM_PYTHON), script, str(TEMPLATE), layer_version, json.dumps(parameters)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SamFailedError(f"template.yaml cannot be translated:\n{done.stderr}")
    resources: dict[str, Any] = json.loads(done.stdout)["Resources"]
    return resources


def deploy(settings: str, own: Path = OWN_SETTINGS) -> None:
    """Build and deploy with one set of the operator's settings; asks until they have answered once.

    Raises SamFailedError.
    """
    if not own.exists():
        shutil.copyfile(SHIPPED_SETTINGS, own)
    answered = tomllib.loads(own.read_text())[DEFAULT]["deploy"]["parameters"]
    asks = settings == DEFAULT and "parameter_overrides" not in answered
    ensure_site()
    where = ["--config-file", str(own), "--config-env", settings]
    for command in (["build", *where], ["deploy", *where, *(["--guided"] if asks else [])]):
        variables = {**os.environ, **python313_environment(), "SAM_CLI_TELEMETRY": "0"}
        if subprocess.run([executable(), *command], cwd=ROOT, env=variables).returncode:
            raise SamFailedError(f"sam {command[0]} failed; what it says stands above.")


def build(folder: Path = BUILD, architecture: str = MACHINE) -> Path:
    """`sam build` for this machine, or another architecture; returns the built template."""
    os.environ.update(python313_environment())
    ensure_site()  # a folder of its own, from which the console's function is built
    run(
        "build",
        "--cached",
        "--parallel",
        f"--build-dir={folder}",
        f"--cache-dir={folder.with_name('cache')}",
        f"--parameter-overrides=Architecture={architecture}",
    )
    return folder / "template.yaml"


def local_template(built: Path, variables: Mapping[str, str]) -> Path:
    """A copy of the built template whose functions have these variables in their environment.

    `sam local` can only override variables that the template declares, and the deployed
    functions should not declare those of a local run. The provider secret is left out: there is
    none here, and without it credentials come from the environment. So is the queue: what the
    store did not take is settled by the process itself.
    """
    template = copy.deepcopy(load_template(built))
    template["Globals"]["Function"]["Environment"]["Variables"].update(variables)
    template["Resources"] = {
        name: resource
        for name, resource in template["Resources"].items()
        if resource.get("Condition") != "UsesInstances"  # there are none here
    }
    for resource in template["Resources"].values():
        declared = resource.get("Properties", {}).get("Environment", {}).get("Variables", {})
        for name in ("LOSI_PROVIDER_SECRET", "LOSI_SETTLEMENTS_QUEUE"):
            declared.pop(name, None)
    path = built.with_name("local.yaml")
    path.write_text(yaml.safe_dump(template, sort_keys=False))
    return path


def seen_from_container(url: str) -> str:
    """The same server's URL as a container on this machine sees it."""
    return url.replace("//127.0.0.1", f"//{DOCKER_HOST_NAME}").replace(
        "//localhost", f"//{DOCKER_HOST_NAME}"
    )


def function_environment(table: str, dynamodb_endpoint: str) -> dict[str, str]:
    """What functions in containers need: the table, and this process's provider credentials."""
    variables = {name: value for name, value in os.environ.items() if name.startswith("LOSI_")}
    variables["LOSI_TABLE"] = table
    variables["AWS_ENDPOINT_URL_DYNAMODB"] = dynamodb_endpoint
    return {name: seen_from_container(value) for name, value in variables.items()}


@contextmanager
def start_api(
    built: Path,
    variables: Mapping[str, str],
    port: int,
    docker_environment: Mapping[str, str],
    log: Path | None = None,
) -> Iterator[str]:
    """`sam local start-api` with these variables in the functions' environment.

    Yields the base URL for SDKs, and stops when the block ends.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise SamFailedError(f"Port {port} is in use; choose another with PORT=...") from error
    command = [executable(), "local", "start-api", f"--port={port}"]
    command += [f"--template={local_template(built, variables)}"]
    command += ["--skip-pull-image", "--warm-containers=LAZY", "--region=us-east-1"]
    command += [f"--add-host={DOCKER_HOST_NAME}:host-gateway"]
    command += [f"--parameter-overrides=Architecture={MACHINE}"]
    output = log.open("wb") if log else None
    server = subprocess.Popen(
        command,
        cwd=ROOT,
        # a variable of SAM's own environment would win over the template's value
        env={**environment(), **docker_environment, **variables},
        stdout=output,
        stderr=output,
        start_new_session=True,  # Ctrl-C is meant for us: we stop it when we are ready
    )
    try:
        wait_until_listening(server, port, "sam local start-api")
        yield f"http://127.0.0.1:{port}/api/v1"
    finally:
        server.send_signal(signal.SIGTERM)  # it removes its containers and ends
        server.wait()
        if output:
            output.close()
