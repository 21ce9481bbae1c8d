import json
import logging
import sys
from typing import Any

from losi.aws.runtime.logs import JsonLines, describe, invocation
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
