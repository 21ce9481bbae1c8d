"""Answers of upstreams are checked where they come in; past that, mypy checks what we read."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from losi.upstream.anthropic import shapes
from losi.upstream.shape import ShapeError

ROOT = Path(__file__).parents[3]
PROMPT = "what the caller said"


#: What we read of answers and what we write of requests: a field, mistyped.
MISTAKES = {
    "anthropic/response.py": ('block["text"]', 'block["texd"]'),
    "anthropic/stream.py": ('delta["thinking"]', 'delta["thimking"]'),
    "anthropic/messages.py": ('"tool_use_id": fitting_id', '"tool_use_if": fitting_id'),
    "anthropic/request.py": ('out["tool_choice"] = ', 'out["tool_choise"] = '),
    "claude.py": ('"budget_tokens": budget', '"budget_token": budget'),
    "bedrock/response.py": ('use["name"]', 'use["nmae"]'),
    "bedrock/messages.py": ('{"image": block', '{"imege": block'),
    "bedrock/documents.py": ('block["document"]', 'block["documend"]'),
    "bedrock/reasoning.py": ('"maxReasoningEffort"', '"maxReasoningEfort"'),
    "openai/answers.py": ('choice["finish_reason"] = word', 'choice["finished_reason"] = word'),
    "openai/tool_calls.py": ('body["name"] = name', 'body["nmae"] = name'),
    "openai/request.py": ('sent["tool_call_id"] = ', 'sent["toolcall_id"] = '),
    "openai/responses/answer.py": ('item.get("summary")', 'item["sumary"]'),
    "openai/responses/stream.py": ('event["delta"]}', 'event["text"]}'),
    "openai/responses/items.py": ('"call_id": _fitting', '"call_if": _fitting'),
    "openai/responses/request.py": ('flat["description"] = d', 'flat["describtion"] = d'),
    "bedrock/request.py": ('config["topP"]', 'config["top_p"]'),
}


@pytest.mark.timeout(600)  # mypy reads three SDKs, where nothing has before
def test_a_mistyped_field_fails_mypy(tmp_path: Path) -> None:
    for module, (field, mistyped) in MISTAKES.items():
        name, source = (
            module.replace("/", "_"),
            (ROOT / "shared/losi/upstream" / module).read_text(),
        )
        assert field in source, module
        (tmp_path / f"right_{name}").write_text(source)
        (tmp_path / f"wrong_{name}").write_text(source.replace(field, mistyped))

    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    complained_of = set(re.findall(r"(\w+\.py):\d+: error", checked.stdout))
    assert complained_of == {f"wrong_{module.replace('/', '_')}" for module in MISTAKES}


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
