"""The help of every command."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from losi import __version__
from tests.unit.cli.command_line import output

if TYPE_CHECKING:
    pass

COMMANDS = [
    "check",
    "status",
    "table export",
    "table import",
    "table check",
    "reconcile",
    "logs",
    "doctor",
    "account create",
    "account show",
    "account list",
    "account disable",
    "account enable",
    "account set-plan",
    "account api-access",
    "account delete",
    "account export",
    "account index",
    "audit",
    "key create",
    "key list",
    "key show",
    "key change",
    "key disable",
    "key enable",
    "key rotate",
    "key revoke",
    "key leaked",
    "secret set",
    "secret list",
    "secret remove",
    "usage",
]


pytestmark = pytest.mark.usefixtures("elsewhere")


class TestHelp:
    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_has_an_example_and_fits_the_terminal(self, command: str) -> None:
        text = output(*command.split(), "--help")

        assert f"losi {command}" in text
        assert "Example" in text
        assert "--json" in text
        assert max(map(len, text.splitlines())) <= 80

    @pytest.mark.parametrize("command", ["", "account", "key", "secret"])
    def test_groups_list_their_commands(self, command: str) -> None:
        text = output(*command.split(), "--help")

        for name in COMMANDS:
            if name.startswith(command):
                assert name.removeprefix(command).split()[0] in text
        assert "..." not in text.partition("Commands:")[2]
        assert max(map(len, text.splitlines())) <= 80

    def test_the_version_is_the_package_s(self) -> None:
        assert output("--version") == f"losi {__version__}\n"

    def test_help_loads_neither_boto3_nor_rich(self) -> None:
        probe = (
            "import sys; from losi.cli import app\n"
            "try: app(['--help'])\n"
            "except SystemExit: pass\n"
            "print({'boto3', 'botocore', 'rich', 'pydantic', 'fastapi'} & set(sys.modules))"
        )
        result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)

        assert result.stdout.splitlines()[-1] == "set()"
