"""Every command of the runbook runs, against `make run`, and answers what its page promises."""

import os
import re
import subprocess
import sys

import httpx
import pytest

from tests.e2e.server import ROOT, Server

BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/runbook.md").read_text(), re.DOTALL)
COMMANDS = sorted({command for block in BLOCKS for command in block.splitlines()})


@pytest.fixture(scope="module")
def failed(server: Server) -> httpx.Response:
    """What the customer complains about."""
    content = "Hi [[sandbox:error=500]]"
    return httpx.post(
        f"{server.base_url}/chat/completions",
        headers={"Authorization": f"Bearer {server.api_key}"},
        json={"model": "gpt-4o", "messages": [{"role": "user", "content": content}]},
    )


@pytest.fixture(scope="module")
def variables(server: Server, failed: httpx.Response) -> dict[str, str]:
    """What the page says to write down."""
    listed = losi(server, "losi account list --json", {})
    assert listed.returncode == 0, listed.stderr
    account = re.findall(r"acct_\w+", listed.stdout)[0]
    return {"ACCOUNT": account, "REQUEST": failed.headers["x-request-id"]}


def losi(
    server: Server, command: str, variables: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LOSI_", "AWS_"))}
    own = f'losi() {{ "{sys.executable}" -m losi.cli "$@"; }}; '
    return subprocess.run(
        ["sh", "-c", own + command],
        cwd=server.folder,
        env={**kept, "PYTHONPATH": f"{ROOT / 'shared'}", "COLUMNS": "250", **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_runs(server: Server, variables: dict[str, str], command: str) -> None:
    ran = losi(server, command, variables)

    assert "Traceback" not in ran.stderr
    # `losi status` says by 1 that something is wrong, such as providers without credentials
    assert ran.returncode in ((0, 1) if command == "losi status" else (0,)), ran.stderr
    assert ran.stdout


def test_it_answers_what_failed_at_that_minute_why_and_who_pays(
    server: Server, variables: dict[str, str]
) -> None:
    (command,) = (each for each in COMMANDS if "--at 14:03" in each)
    line = losi(server, 'losi logs --request "$REQUEST" --json', variables).stdout
    minute = re.findall(r'"timestamp": "([\dT:-]{16})', line)[0]

    ran = losi(server, command.replace("14:03", minute), variables)

    assert f"{variables['REQUEST']}  500 internal_error" in ran.stdout
    assert f"{variables['ACCOUNT']}  create_chat_completion gpt-4o" in ran.stdout
    assert "sandbox/losi-sandbox: internal_error after" in ran.stdout
