"""The `aws` commands of the docs: each operation and option is one that AWS has.

AWS's command line is made from botocore's own models:
https://docs.aws.amazon.com/cli/latest/userguide/cli-services.html
"""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

DOCS = Path(__file__).parents[2] / "docs"
#: Of every command: https://docs.aws.amazon.com/cli/latest/reference/#options
GLOBAL = {"query", "output", "region", "profile", "no-cli-pager", "no-paginate"}
#: Written for the command line alone, without an operation of the same name.
OWN = {"s3", "login", "configure", "sso", "logs tail"}
_COMMAND = re.compile(r"\baws [a-z0-9-]+ [^\n)|;&]+")


def commands() -> list[tuple[str, str]]:
    found = []
    for page in sorted(DOCS.rglob("*.md")):
        for block in re.findall(r"^ *```sh\n(.*?)^ *```", page.read_text(), re.M | re.S):
            whole = re.sub(r"\\\n\s*", " ", block)
            found += [
                (page.name, each) for each in re.findall(r"\baws [a-z0-9-]+ [^\n)|;&]+", whole)
            ]
    return found


@cache
def operations(service: str) -> dict[str, Any]:
    model = botocore.session.get_session().get_service_model(service)
    return {xform_name(name, "-"): model.operation_model(name) for name in model.operation_names}


def test_there_are_some() -> None:
    assert len(commands()) > 5


@pytest.mark.parametrize(("page", "command"), commands())
def test_it_is_one_that_aws_has(page: str, command: str) -> None:
    _, service, operation, *words = shlex.split(command)
    if service in OWN or f"{service} {operation}" in OWN:
        return
    if operation == "wait":
        waiters = botocore.session.get_session().get_waiter_model(service).waiter_names
        assert words[0] in {xform_name(name, "-") for name in waiters}
        return
    shape = operations(service)[operation].input_shape
    members, required = shape.members, {xform_name(each, "-") for each in shape.required_members}
    known = {xform_name(name, "-"): each for name, each in members.items()}
    switches = {f"no-{name}" for name, each in known.items() if each.type_name == "boolean"}
    options = {word[2:] for word in words if word.startswith("--")}
    assert options <= {*known, *switches, *GLOBAL}, command
    required = {
        xform_name(name, "-")
        for name in operations(service)[operation].input_shape.required_members
    }
    assert required <= options, command
