"""The help of every command."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys

import pytest

from losi import __version__
from losi.cli import app, session
from tests.contract.cli.command_line import losi, output

#: Each command, and what stands behind it without an option's name.
COMMANDS = {
    "check": "",
    "status": "",
    "table export": "FILE",
    "table import": "FILE",
    "table check": "",
    "reconcile": "FILE",
    "logs": "",
    "doctor": "",
    "account create": "",
    "account show": "ACCOUNT",
    "account list": "",
    "account disable": "ACCOUNT",
    "account enable": "ACCOUNT",
    "account set-plan": "ACCOUNT PLAN",
    "account api-access": "ACCOUNT on|off",
    "account operator": "ACCOUNT on|off",
    "account delete": "ACCOUNT",
    "account export": "ACCOUNT",
    "account index": "",
    "audit": "ACCOUNT",
    "key create": "ACCOUNT",
    "key list": "ACCOUNT",
    "key show": "ACCOUNT KEY",
    "key change": "ACCOUNT KEY",
    "key disable": "ACCOUNT KEY",
    "key enable": "ACCOUNT KEY",
    "key rotate": "ACCOUNT KEY",
    "key revoke": "ACCOUNT KEY",
    "key leaked": "",
    "secret set": "NAME",
    "secret list": "",
    "secret remove": "NAME",
    "usage": "ACCOUNT",
}


pytestmark = pytest.mark.usefixtures("elsewhere")


class TestHelp:
    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_has_an_example_and_fits_the_terminal(self, command: str) -> None:
        text = output(*command.split(), "--help")

        usage = re.sub(r"[{}\[\]]", "", text.splitlines()[0])
        assert usage == f"Usage: losi {command} OPTIONS {COMMANDS[command]}".rstrip()
        assert "Example" in text
        assert "--json" in text
        assert max(map(len, text.splitlines())) <= 80

    @pytest.mark.parametrize("command", ["", "account", "key", "secret", "table"])
    def test_groups_list_their_commands(self, command: str) -> None:
        text = output(*command.split(), "--help")

        for name in COMMANDS:
            if name.startswith(command):
                assert name.removeprefix(command).split()[0] in text
        assert "..." not in text.partition("Commands:")[2]
        assert max(map(len, text.splitlines())) <= 80
        alone = losi(*command.split())
        assert alone.output.startswith(text.splitlines()[0])
        assert text.partition("Commands:")[2] in alone.output
        assert "completion" not in text

    def test_the_version_is_the_package_s(self) -> None:
        assert output("--version") == f"losi {__version__}\n"

    def test_it_runs_as_a_module_too(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["losi", "--version"])
        sys.modules.pop("losi.cli.__main__", None)

        with pytest.raises(SystemExit) as ended:
            runpy.run_module("losi.cli", run_name="__main__")

        assert (ended.value.code, capsys.readouterr().out) == (0, f"losi {__version__}\n")

    def test_a_bug_s_traceback_is_python_s_own_and_shows_no_variables(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def fail(*_: object) -> None:
            raise RuntimeError("a bug")

        monkeypatch.setattr(session, "connect", fail)
        monkeypatch.setattr(sys, "excepthook", sys.excepthook)

        with pytest.raises(RuntimeError) as raised:
            app(["account", "list"])
        sys.excepthook(raised.type, raised.value, raised.tb)

        shown = capsys.readouterr().err
        assert shown.startswith("Traceback (most recent call last):\n")
        assert shown.endswith("\nRuntimeError: a bug\n")

    def test_help_loads_neither_boto3_nor_rich(self) -> None:
        probe = (
            "import sys; from losi.cli import app\n"
            "try: app(['--help'])\n"
            "except SystemExit: pass\n"
            "print({'boto3', 'botocore', 'rich', 'pydantic', 'fastapi'} & set(sys.modules))"
        )
        result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)

        assert result.stdout.splitlines()[-1] == "set()"
