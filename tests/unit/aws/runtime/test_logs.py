import json
import logging
import sys
from typing import Any

import pytest

from losi.aws.runtime.logs import JsonLines, configure, describe, invocation
from losi.aws.runtime.runtime_api import LambdaContext
from losi.config import Config

SECRET = "a prompt"


def caught(raiser: Any) -> BaseException:
    try:
        raiser()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def wrap() -> None:
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        raise RuntimeError(SECRET) from error


def test_an_error_is_its_types_and_places_but_not_its_message() -> None:
    description = describe(caught(wrap))

    assert (description["errorType"], description["causes"]) == ("RuntimeError", ["ValueError"])
    assert "in wrap" in description["location"][-1]
    assert SECRET not in json.dumps(description)


def nested(depth: int) -> None:
    try:
        if depth:
            nested(depth - 1)
    finally:
        raise KeyError(depth)


def test_of_a_long_chain_and_a_deep_stack_the_nearest_are_kept() -> None:
    chain, stack = describe(caught(lambda: nested(9))), describe(caught(lambda: deep(30)))

    assert chain["causes"] == ["KeyError"] * 4
    assert len(stack["location"]) == 15 and stack["location"][-1].endswith("in deep")


def deep(depth: int) -> None:
    if not depth:
        raise ValueError(SECRET)
    deep(depth - 1)


def test_a_group_of_several_is_a_group() -> None:
    error = ExceptionGroup("unhandled errors in a TaskGroup", [KeyError(SECRET), ValueError()])

    assert describe(error) == {"errorType": "ExceptionGroup", "causes": [], "location": []}


@pytest.mark.parametrize("exc_info", [None, (None, None, None)])
def test_a_line_outside_of_invocations_and_errors_has_neither(exc_info: Any) -> None:
    record = logging.LogRecord("losi", logging.INFO, "f.py", 1, "ready", (), exc_info)
    line = json.loads(JsonLines().format(record))

    assert line.pop("timestamp")[10] == "T"
    assert line == {"level": "INFO", "logger": "losi", "message": "ready"}


def test_the_format_is_set_where_nobody_has_set_one(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    configure()
    (ours,) = root.handlers
    configure()

    assert isinstance(ours.formatter, JsonLines)
    assert root.handlers == [ours]


def test_a_group_of_one_is_that_one() -> None:
    error = ExceptionGroup("unhandled errors in a TaskGroup", [KeyError(SECRET)])

    assert describe(error)["errorType"] == "KeyError"


def test_a_record_is_one_line_of_json() -> None:
    formatter = JsonLines()
    context = {
        "lambda-runtime-aws-request-id": "request-1",
        "lambda-runtime-trace-id": "Root=1",
        "lambda-runtime-deadline-ms": "0",
    }
    token = invocation.set(LambdaContext(context, Config()))
    try:
        wrap()
    except RuntimeError:
        record = logging.LogRecord(
            "losi", logging.ERROR, "f.py", 1, "two\nlines of %s", ("text",), sys.exc_info()
        )

    text = formatter.format(record)
    invocation.reset(token)

    assert "\n" not in text
    line = json.loads(text)
    assert (line["level"], line["message"]) == ("ERROR", "two\nlines of text")
    assert (line["requestId"], line["traceId"]) == ("request-1", "Root=1")
    assert line["errorType"] == "RuntimeError"
    assert SECRET not in text
