"""What all of OpenAI's endpoints share, to the byte."""

from __future__ import annotations

import json

import pytest

from losi.dialects.form import Form
from losi.dialects.openai import (
    DONE,
    EVENT_STREAM,
    PLAIN,
    envelope,
    error_event,
    error_object,
    event,
)
from losi.errors import InvalidRequestError, LosiError, ServerError

FULL = InvalidRequestError("No.", param="n", code="invalid_value")
ENVELOPE = {
    "error": {
        "message": "No.",
        "type": "invalid_request_error",
        "param": "n",
        "code": "invalid_value",
    }
}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (FULL, ENVELOPE),
        (
            LosiError("?"),
            {"error": {"message": "?", "type": "server_error", "param": None, "code": None}},
        ),
    ],
)
def test_an_error_has_all_four_fields(error: LosiError, expected: object) -> None:
    assert envelope(error) == expected
    assert json.loads(error_object(error)) == expected
    assert error_event(error) == b"data: " + error_object(error) + b"\n\n"


def test_events_are_lines_of_data() -> None:
    assert event({"a": "\u00e4\n"}) == 'data: {"a":"\u00e4\\n"}\n\n'.encode()
    assert DONE == b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("form", "headers", "heartbeat", "seconds", "error"),
    [
        (
            EVENT_STREAM,
            {
                "content-type": "text/event-stream; charset=utf-8",
                "cache-control": "no-cache, no-transform",
                "x-accel-buffering": "no",
            },
            b": keep-alive\n\n",
            15.0,
            error_event,
        ),
        (PLAIN, {"content-type": "application/json"}, b" ", 240.0, error_object),
    ],
)
def test_a_form_keeps_connections_open_with_what_means_nothing(
    form: Form, headers: dict[str, str], heartbeat: bytes, seconds: float, error: object
) -> None:
    assert (form.headers, form.heartbeat, form.heartbeat_seconds) == (headers, heartbeat, seconds)
    assert form.error is error
    assert form.error(ServerError("?")).startswith(b"data: " if form is EVENT_STREAM else b"{")
