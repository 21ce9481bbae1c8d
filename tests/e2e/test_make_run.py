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
from typing import Any

import httpx

from losi.catalogue import loader
from losi.identity.key import NewKey
from losi.identity.secret import parse
from losi.management.accounts import Accounts
from losi.metering.books import Books
from tests.dynamodb_local import connect, free_port
from tests.e2e.server import ROOT, Server, running_server


def test_data_survive_a_restart_and_a_kill_until_they_are_to_be_forgotten(tmp_path: Path) -> None:
    with running_server(tmp_path, free_port()) as first, user(first) as http:
        made = [http.post("/api-keys", json=new(name)).json()["data"] for name in "ab"]
        http.delete("/api-keys", params={"id": made[0]["id"]})
        http.post("/chat/completions", json=HI).raise_for_status()
        account = losi(tmp_path, "account", "create", "--name", "Ada")
        usage = http.get("/api-usage").json()
        first.process.kill()
        first.process.wait()
    with running_server(tmp_path, free_port()) as second, user(second) as http:
        assert second.api_key == first.api_key
        assert http.get("/api-usage").json() == usage
        assert usage["data"]["summary"]["total_requests"] == 1
        assert [with_key(second, each["key"]) for each in made] == [401, 200]
        assert losi(tmp_path, "account", "show", account["id"]) == account
    with running_server(tmp_path, free_port(), FRESH="1") as third, user(third) as http:
        assert third.api_key == first.api_key
        assert http.get("/api-usage").json()["data"]["summary"]["total_requests"] == 0
        assert with_key(third, made[1]["key"]) == 401


def test_two_run_at_once_in_one_folder_and_keep_their_data_apart(tmp_path: Path) -> None:
    with running_server(tmp_path, free_port()) as first, user(first) as http:
        made = http.post("/api-keys", json=new("first's")).json()["data"]["key"]
        with running_server(tmp_path, port := free_port()) as second:
            folder = tmp_path / ".losi" / str(port)

            assert with_key(second, made) == 401
            assert f"OPENAI_BASE_URL={second.base_url}\n" in (folder / "demo.env").read_text()
            assert len(losi(tmp_path, "key", "list", account_of(first))) == 2
            assert len(losi(tmp_path, "key", "list", account_of(second), LOSI_DATA=folder)) == 1
        again = start(tmp_path, str(free_port()), LOSI_DATA=".losi")

        assert f"OPENAI_BASE_URL={first.base_url}\n" in (tmp_path / ".losi/demo.env").read_text()
        assert (again.returncode, again.stdout) == (1, "")
        assert f".losi is in use by {first.base_url}. Stop that one, or give" in again.stderr
    assert not (tmp_path / ".losi" / "local.json").exists()


def test_what_the_environment_says_of_the_world_outside_does_not_matter(tmp_path: Path) -> None:
    """A proxy of a company that does not answer, a profile of AWS's that is not there."""
    nothing_listens = f"http://127.0.0.1:{free_port()}"
    outside = {"HTTP_PROXY": nothing_listens, "http_proxy": nothing_listens, "AWS_PROFILE": "gone"}
    with running_server(tmp_path, free_port(), **outside) as server:
        assert with_key(server, server.api_key) == 200
        assert len(losi(tmp_path, "account", "list", **outside)) == 1


def test_a_dynamodb_of_ones_own_takes_one_variable(tmp_path: Path, dynamodb_endpoint: str) -> None:
    own = {"AWS_ENDPOINT_URL_DYNAMODB": dynamodb_endpoint, "LOSI_TABLE": f"losi-{free_port()}"}
    with running_server(tmp_path, free_port(), **own) as server, user(server) as http:
        made = http.post("/api-keys", json=new("kept")).json()["data"]["key"]
    with running_server(tmp_path, free_port(), **own) as server:
        assert with_key(server, made) == 200
    assert not (tmp_path / ".losi" / "items.jsonl").exists()


def test_a_dynamodb_that_does_not_answer_is_said_clearly(tmp_path: Path) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    ran = start(tmp_path, str(free_port()), AWS_ENDPOINT_URL_DYNAMODB=gone)

    assert ran.returncode == 1
    assert f"The DynamoDB at {gone} cannot be used" in ran.stderr
    assert "Traceback" not in ran.stderr


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


def ask_for(text: str) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]}


HI = ask_for("Hi")


def new(name: str) -> dict[str, Any]:
    return {"name": name, "permissions": ["models.list"]}


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
        json=HI,
    )
    return answer.status_code


def test_a_stop_ends_open_answers_with_an_error_and_books_what_was_delivered(
    tmp_path: Path,
) -> None:
    slow = "[[sandbox:delay=1s]] [[sandbox:tokens=100]]"
    with (
        running_server(tmp_path, free_port()) as server,
        user(server) as http,
        http.stream("POST", "/chat/completions", json={**ask_for(slow), "stream": True}) as stream,
    ):
        events = (line for line in stream.iter_lines() if line)
        told = [next(events) for _ in range(3)]
        http.get("/models", headers={"Authorization": "Bearer losi-wrong"})
        server.process.terminate()
        told.extend(events)
    error = json.loads(told[-1].removeprefix("data: "))["error"]
    assert (error["type"], error["code"]) == ("server_error", "server_stopping")
    assert server.process.returncode == 0
    log = "".join(server.log)
    assert "GET list_models 401" in log
    assert "Traceback" not in log and "ERROR" not in log
    assert server.log[-1] == "Stopped.\n"
    with running_server(tmp_path, free_port()) as server, user(server) as http:
        summary = http.get("/api-usage").json()["data"]["summary"]
        assert (summary["total_requests"], summary["total_output_tokens"] > 0) == (1, True)


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


def start(folder: Path, port: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PORT": port, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def losi(folder: Path, *arguments: str, **environment: object) -> Any:
    """What `losi --json` prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    ran = subprocess.run(
        [sys.executable, "-m", "losi.cli", *arguments, "--json"],
        cwd=folder,
        env={**kept, **{name: str(value) for name, value in environment.items()}},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def user(server: Server) -> httpx.Client:
    headers = {"Authorization": f"Bearer {server.api_key}"}
    return httpx.Client(base_url=server.base_url, headers=headers, timeout=60, trust_env=False)


def with_key(server: Server, key: str) -> int:
    with user(server) as http:
        return http.get("/models", headers={"Authorization": f"Bearer {key}"}).status_code


def account_of(server: Server) -> str:
    secret = parse(server.api_key)
    assert secret is not None
    return f"acct_{secret.account_id}"


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
