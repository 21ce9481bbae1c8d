"""What all of OpenAI's endpoints share: the error envelope, server-sent events, JSON."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from losi.dialects.form import Form
from losi.errors import LosiError

DONE = b"data: [DONE]\n\n"


def envelope(error: LosiError) -> dict[str, object]:
    """`{"error": {message, type, param, code}}`: all four always present, as OpenAI's are."""
    return {
        "error": {
            "message": error.message,
            "type": error.type,
            "param": error.param,
            "code": error.code,
        }
    }


def event(data: Mapping[str, object]) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"


def error_event(error: LosiError) -> bytes:
    """The envelope as the last event of a stream that has already begun; no [DONE] follows."""
    return event(envelope(error))


def error_object(error: LosiError) -> bytes:
    return orjson.dumps(envelope(error))


EVENT_STREAM = Form(
    {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no",
    },
    heartbeat=b": keep-alive\n\n",
    heartbeat_seconds=15.0,
    error=error_event,
)
#: JSON may begin with white space. As late as API Gateway allows (it closes what is silent for five
#: minutes): once it was sent, the status is 200 whatever follows.
PLAIN = Form(
    {"content-type": "application/json"},
    heartbeat=b" ",
    heartbeat_seconds=240.0,
    error=error_object,
)
