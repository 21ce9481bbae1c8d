"""Answers of upstreams are checked where they come in; past that, mypy checks what we read."""

from typing import Any

import pytest

from losi.upstream.anthropic import shapes
from losi.upstream.reading import ShapeError

PROMPT = "what the caller said"


@pytest.mark.parametrize(
    ("event", "place"),
    [
        ({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta"}}, "text"),
        (
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": [PROMPT]},
            },
            "text",
        ),
        ({"type": "message_start", "message": {"id": PROMPT}}, "model"),
        ({"delta": PROMPT}, "type"),
        ([PROMPT], "type"),
    ],
)
def test_a_wrong_shape_says_where_and_never_what(event: Any, place: str) -> None:
    with pytest.raises(ShapeError) as caught:
        shapes.event(event)

    assert place in str(caught.value)
    assert PROMPT not in str(caught.value)
    assert (caught.value.__cause__ is None and caught.value.__suppress_context__) or place == "type"


@pytest.mark.parametrize(
    "event",
    [
        {"type": "ping"},
        {"type": "of_the_future", "x": 1},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "of_the_future"}},
    ],
)
def test_what_is_yet_to_come_is_passed_over(event: Any) -> None:
    assert shapes.event(event) is None


def test_a_block_of_a_servers_tool_has_no_place_and_does_no_harm() -> None:
    start = {"type": "content_block_start", "index": 1}
    used = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}

    event = shapes.event({**start, "content_block": used})

    assert event == {**start, "content_block": {"type": "other"}}
