"""A mistyped field name fails mypy, wherever requests, answers and chunks are read or written.

The modules are checked with mistakes in them, all in one run of mypy, from the cache that `make
lint` leaves.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOSI = ROOT / "shared" / "losi"

#: A module, what stands there, and the mistake: read by index and by `.get`, asked for by `in`,
#: and written.
MISTAKES = [
    ("chat/chunks.py", 'chunk.pop("usage", None)', 'chunk.pop("usge", None)'),
    ("chat/chunks.py", 'choice["finish_reason"] = choice', 'choice["finish_raeson"] = choice'),
    ("chat/needs.py", 'part.get("type") == "file"', 'part.get("tipe") == "file"'),
    ("chat/prepare.py", 'body["model"] = route.model', 'body["modl"] = route.model'),
    ("chat/probes.py", '"tool_choice": "required"', '"tool_choise": "required"'),
    ("dialects/openai_chat.py", '{"choices": []}', '{"choises": []}'),
    ("embeddings/embeddings.py", 'answer["data"]', 'answer["dta"]'),
    ("metering/estimate.py", 'call.get("custom")', 'call.get("costum")'),
    ("metering/usage.py", 'read["cached_tokens"]', 'read["cached_token"]'),
    ("sandbox/answers.py", 'body.get("response_format")', 'body.get("respons_format")'),
    ("sandbox/embeddings.py", 'call.body.get("dimensions")', 'call.body.get("dimension")'),
    ("sandbox/format.py", 'message["tool_calls"] =', 'message["tol_calls"] ='),
    ("sandbox/tools.py", 'body.get("parallel_tool_calls")', 'body.get("paralel_tool_calls")'),
    ("upstream/anthropic/messages.py", '["image_url"]["url"]', '["image_url"]["ulr"]'),
    ("upstream/anthropic/messages.py", '"tool_use_id": fitting_id', '"tool_use_if": fitting_id'),
    ("upstream/anthropic/request.py", 'body.get("service_tier")', 'body.get("service_teer")'),
    ("upstream/anthropic/request.py", 'out["tool_choice"] = ', 'out["tool_choise"] = '),
    ("upstream/anthropic/response.py", 'block["type"] == "text"', 'block["tipe"] == "text"'),
    ("upstream/anthropic/response.py", 'block["text"]', 'block["texd"]'),
    ("upstream/anthropic/stream.py", 'delta["text"]', 'delta["txt"]'),
    ("upstream/anthropic/stream.py", 'delta["thinking"]', 'delta["thimking"]'),
    ("upstream/batch.py", 'delta.get("tool_calls")', 'delta.get("tool_cals")'),
    ("upstream/bedrock/documents.py", 'block["document"]', 'block["documend"]'),
    ("upstream/bedrock/messages.py", 'message.get("refusal")', 'message.get("refusl")'),
    ("upstream/bedrock/messages.py", '{"image": block', '{"imege": block'),
    ("upstream/bedrock/reasoning.py", '"maxReasoningEffort"', '"maxReasoningEfort"'),
    ("upstream/bedrock/request.py", 'body.get("tools")', 'body.get("tolls")'),
    ("upstream/bedrock/request.py", 'config["topP"]', 'config["top_p"]'),
    ("upstream/bedrock/response.py", '"contentBlockStart" in event', '"contentBlokStart" in event'),
    ("upstream/bedrock/response.py", 'use["toolUseId"]', 'use["toolUseID"]'),
    ("upstream/bedrock/response.py", 'use["name"]', 'use["nmae"]'),
    ("upstream/cache_marks.py", 'message["role"] == "assistant"', 'message["rle"] == "assistant"'),
    ("upstream/claude.py", 'body.get("temperature")', 'body.get("temprature")'),
    ("upstream/claude.py", '"budget_tokens": budget', '"budget_token": budget'),
    ("upstream/claude_schema.py", 'response_format["type"]', 'response_format["tipe"]'),
    ("upstream/conversation.py", 'message["role"] == "tool"', 'message["roll"] == "tool"'),
    ("upstream/fanout.py", 'choice["index"] = index', 'choice["indx"] = index'),
    ("upstream/fences.py", '["message"]["content"]', '["message"]["contnt"]'),
    ("upstream/functions.py", 'choice["finish_reason"] =', 'choice["finnish_reason"] ='),
    ("upstream/openai/answers.py", 'delta.get("function_call")', 'delta.get("function_cal")'),
    ("upstream/openai/answers.py", '"finish_reason"] = word', '"finished_reason"] = word'),
    ("upstream/openai/request.py", 'message.get("tool_calls")', 'message.get("tools_calls")'),
    ("upstream/openai/request.py", 'sent["tool_call_id"] = ', 'sent["toolcall_id"] = '),
    ("upstream/openai/responses/answer.py", 'part["refusal"]', 'part["refusel"]'),
    ("upstream/openai/responses/answer.py", 'item.get("summary")', 'item["sumary"]'),
    ("upstream/openai/responses/items.py", 'message["tool_call_id"]', 'message["tool_id"]'),
    ("upstream/openai/responses/items.py", '"call_id": _fitting', '"call_if": _fitting'),
    ("upstream/openai/responses/request.py", 'body.get("verbosity")', 'body.get("verbose")'),
    ("upstream/openai/responses/request.py", 'flat["description"] = d', 'flat["describtion"] = d'),
    ("upstream/openai/responses/stream.py", 'event["delta"]', 'event["delt"]'),
    ("upstream/openai/responses/stream.py", 'event["delta"]}', 'event["text"]}'),
    ("upstream/openai/strict.py", 'tool.get("function")', 'tool.get("func")'),
    ("upstream/openai/tool_calls.py", 'piece.get("index")', 'piece.get("idx")'),
    ("upstream/openai/tool_calls.py", 'body["name"] = name', 'body["nmae"] = name'),
    ("upstream/routing.py", 'chunk.get("usage")', 'chunk.get("usages")'),
    ("upstream/stops.py", 'message.pop("tool_calls"', 'message.pop("toolcalls"'),
    ("upstream/text_limit.py", 'message["content"] =', 'message["contents"] ='),
    ("upstream/thoughts.py", 'message.pop("thinking_blocks"', 'message.pop("thinking_block"'),
    ("upstream/turns.py", 'message.get("refusal")', 'message.get("refused")'),
    ("upstream/wishes.py", 'part.get("refusal")', 'part.get("refussal")'),
]  # fmt: skip
#: What mypy names in place of the field, where several types would do.
TYPES = {
    '"budget_token": budget': "ThinkingConfigEnabledParam",
    '"call_if": _fitting': "ResponseFunctionToolCallParam",
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What mypy says of all of them."""
    folder = tmp_path_factory.mktemp("mistyped")
    cache, shadows = folder / "cache", list[str]()
    if (ROOT / ".mypy_cache").is_dir():
        shutil.copytree(ROOT / ".mypy_cache", cache)
    for number, module in enumerate(dict.fromkeys(module for module, _, _ in MISTAKES)):
        text = (LOSI / module).read_text()
        for _, right, wrong in (row for row in MISTAKES if row[0] == module):
            assert right in text, f"{module} has no {right}"
            text = text.replace(right, wrong, 1)
        copy = folder / f"{number}.py"
        # mypy takes a shadow of the same size for the file that its cache knows
        copy.write_text(f"{text}# {'mistyped' * 10}\n")
        shadows += ["--shadow-file", str(LOSI / module), str(copy)]
    command = [sys.executable, "-m", "mypy", "-p", "losi", "--cache-dir", str(cache), *shadows]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("module", "right", "wrong"), MISTAKES)
def test_a_mistyped_field_fails_mypy(module: str, right: str, wrong: str, found: str) -> None:
    (field,) = set(re.findall(r"\w+", wrong)) - set(re.findall(r"\w+", right))
    named = TYPES.get(wrong, field)
    assert re.search(rf'{re.escape(module)}:\d+: error: .*"{named}\b', found), found
