"""`make run` as a newcomer meets it: how it starts, what it leaves, how it stops."""

import asyncio
import json
import os
import socket
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest
from openai import APIConnectionError, OpenAI

from losi.catalogue import loader
from losi.identity.key import NewKey
from losi.management.accounts import Accounts
from losi.metering.books import Books
from tests.dynamodb_local import connect, free_port
from tests.e2e.server import ROOT, running_server


def test_the_demo_key_stays_the_same_between_starts(tmp_path: Path) -> None:
    with running_server(tmp_path, free_port()) as first:
        pass
    with (
        running_server(tmp_path, free_port()) as second,
        OpenAI(base_url=second.base_url, api_key=first.api_key) as sdk,
    ):
        assert list(sdk.models.list())

    assert first.api_key == second.api_key


def test_demo_env_is_what_the_sdks_read_and_for_its_owner_only(tmp_path: Path) -> None:
    with running_server(tmp_path, free_port()) as server:
        file = tmp_path / ".losi" / "demo.env"
        shell = (
            f". {file} && {sys.executable} -c 'import openai; print(openai.OpenAI().models.list())'"
        )
        sourced = subprocess.run(["sh", "-c", shell], capture_output=True, text=True)

        assert f"OPENAI_BASE_URL={server.base_url}\n" in file.read_text()
        assert f"OPENAI_API_KEY={server.api_key}\n" in file.read_text()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert sourced.returncode == 0 and "losi-omega" in sourced.stdout, sourced.stderr


async def test_two_hundred_requests_at_once_are_answered(tmp_path: Path) -> None:
    """Of four accounts, because one account's plan ends at 50 in flight."""
    with running_server(tmp_path, free_port()) as server:
        keys = [new_key(tmp_path) for _ in range(4)]
        async with httpx.AsyncClient(timeout=120, limits=httpx.Limits(max_connections=200)) as http:
            for key in keys:
                await ask(http, server.base_url, key)  # opens the account's day
            asked = (ask(http, server.base_url, key) for key in keys for _ in range(50))
            statuses = Counter(await asyncio.gather(*asked))

    assert statuses == {200: 200}


def new_key(folder: Path) -> str:
    reach = json.loads((folder / ".losi" / "local.json").read_text())
    client, table = connect(reach["dynamodb_endpoint"]), reach["table"]
    plans = loader.load().plans
    accounts = Accounts(client, table, Books(client, table), plans)
    account = accounts.create_account("ultra")
    _, secret = accounts.create_key(account.id, NewKey("one", frozenset({"chat.completions"})))
    return secret.text


async def ask(http: httpx.AsyncClient, base_url: str, key: str) -> int:
    answer = await http.post(
        f"{base_url}/chat/completions",
        headers={"authorization": f"Bearer {key}"},
        json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]},
    )
    return answer.status_code


def test_sigterm_stops_it_cleanly(tmp_path: Path) -> None:
    with running_server(tmp_path, free_port()) as server:
        pass

    assert server.process.returncode == 0


def test_a_stream_that_is_open_ends_with_it_and_without_a_traceback(tmp_path: Path) -> None:
    with running_server(tmp_path, free_port()) as server:
        sdk = OpenAI(base_url=server.base_url, api_key=server.api_key)
        stream = sdk.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": "[[sandbox:delay=1s]] [[sandbox:tokens=100]]"}],
            stream=True,
        )

    assert server.process.returncode == 0
    assert "Traceback" not in "".join(server.log)
    assert server.log[-1] == "Stopped.\n"
    with sdk, pytest.raises(APIConnectionError):
        list(stream)


def test_a_busy_port_is_said_clearly(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        ran = start(tmp_path, str(port))

    assert ran.returncode == 1
    assert f"Port {port} cannot be used" in ran.stderr
    assert f"PORT={port + 1} make run" in ran.stderr


def test_a_port_that_is_none_is_said_clearly(tmp_path: Path) -> None:
    ran = start(tmp_path, "http")

    assert ran.returncode == 2
    assert "is not a port" in ran.stderr


def start(folder: Path, port: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PORT": port},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_folder_that_cannot_be_written_to_is_named_as_the_cause() -> None:
    # not even root can write to /proc
    ran = subprocess.run(
        ["make", "run", "VENV=/proc/losi"], cwd=ROOT, capture_output=True, text=True
    )

    assert ran.returncode == 2
    assert "Cannot write to /proc/losi" in ran.stderr
    assert "python3-venv" not in ran.stderr


def test_make_help_explains_every_target() -> None:
    ran = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True)

    assert ran.returncode == 0
    for target in ("run", "test", "lint", "help"):
        assert f"\n  {target} " in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) <= 100
