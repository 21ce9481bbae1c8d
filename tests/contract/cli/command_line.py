"""Runs `losi` as an operator would. Tests that do so use the fixture `elsewhere`."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from typer import testing
from typer.testing import CliRunner, Result

from losi.cli import app

# it would make all commands anew for each that is run
testing._get_command = cache(testing._get_command)  # type: ignore[attr-defined]


def losi(*arguments: str, input: str | None = None) -> Result:
    result = CliRunner().invoke(app, arguments, input=input)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def output(*arguments: str, input: str | None = None) -> str:
    result = losi(*arguments, input=input)
    assert result.exit_code == 0, result.output
    return result.stdout


def data(*arguments: str) -> Any:
    return json.loads(output(*arguments, "--json"))


def error(*arguments: str) -> str:
    """The one line on stderr of a command that failed."""
    result = losi(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    [line] = result.stderr.splitlines()
    assert line.startswith("Error: ")
    return line.removeprefix("Error: ")
