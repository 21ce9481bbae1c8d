"""Log lines as JSON, one a line: what Lambda's own runtime would set up, minus the content.

A traceback is logged as types and places. Messages of exceptions may quote a prompt or a key.
"""

import json
import logging
import sys
import traceback
from contextvars import ContextVar
from typing import Any

from losi.aws.runtime.runtime_api import LambdaContext

logger = logging.getLogger("losi.aws.runtime")


#: Whose line it is: one process serves many invocations at once.
invocation: ContextVar[LambdaContext | None] = ContextVar("invocation", default=None)


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (context := invocation.get()) is not None:
            line["requestId"] = context.aws_request_id
            if context.trace_id:
                line["traceId"] = context.trace_id
        if record.exc_info and record.exc_info[1]:
            line |= describe(record.exc_info[1])
        return json.dumps(line)


def describe(error: BaseException) -> dict[str, Any]:
    """The types of an exception and its causes, and where it was raised."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    types: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(types) < 5:
        types.append(error_type(cause))
        cause = cause.__cause__ or cause.__context__
    places = [
        f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_name}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    return {"errorType": types[0], "causes": types[1:], "location": places[-15:]}


def error_type(error: BaseException) -> str:
    return type(error).__name__


def configure() -> None:
    """Sets this format on the root logger, unless the app has set up its own handlers."""
    root = logging.getLogger()
    if not root.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JsonLines())
        root.addHandler(handler)
