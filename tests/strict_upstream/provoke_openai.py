"""Requests that OpenAI refuses, and some that it must not."""

import base64
from typing import Any

from tests.strict_upstream.provocations import (
    CLOSED,
    OBJECT,
    USER,
    Provocation,
    called,
    chat,
    deep,
    image,
    json_schema,
    result,
    tool,
    user,
    with_property,
)
from tests.strict_upstream.rules import Account, Json
from tests.strict_upstream.signatures import sign

T = [tool()]
LONG = "x " * 300_000  # about 150,000 tokens


def strict(rule: str, schema: Json, says: str = "") -> list[Provocation]:
    """As a tool and as the format of the answer."""
    return [
        chat(rule, "gpt-4o", tools=[tool(schema=schema, strict=True)], says=says),
        chat(rule, "gpt-4o", response_format=json_schema(schema), says=says),
    ]


def responses(rule: str, model: str = "gpt-6.1-sol", **more: Any) -> Provocation:
    settings = {name: more.pop(name) for name in ("status", "says", "account") if name in more}
    path = more.pop("path", "/v1/responses")
    body = {"model": model, "store": False, "input": [USER], **more}
    return Provocation(rule, path, body, **settings)


CHAT = [
    chat("O1", "gpt-5.6", max_tokens=500, says="Use 'max_completion_tokens' instead"),
    chat("O2", "gpt-4o", max_tokens=5, max_completion_tokens=5, says="at the same time"),
    chat("O2", "gpt-4.1", max_tokens=5, status=200),
    chat("O3", "gpt-5.5", tools=T, says="/v1/chat/completions"),
    chat("O3", "gpt-5.4", tools=T, reasoning_effort="low"),
    chat("O4", "gpt-6-luna", tools=T),
    chat("O4", "gpt-6.1-sol", tools=T, reasoning_effort="low"),
    chat("O6", "gpt-6.1-sol", reasoning_effort="none"),
    chat("O6", "gpt-6-luna", reasoning_effort="minimal"),
    chat("O6", "gpt-5", reasoning_effort="none"),
    chat("O7", "gpt-5.4", temperature=0.5, tools=T, status=200),
    chat("O8", "gpt-6.1-sol", reasoning_effort="max"),
    chat("O9", "gpt-5-pro", reasoning_effort="low"),
    chat("O9", "gpt-5.1", reasoning_effort="xhigh"),
    chat("O9", "gpt-5.3-chat-latest", reasoning_effort="high"),
    chat("O10", "gpt-4o", reasoning_effort="low", says="Unrecognized request argument"),
    chat("O11", "gpt-5", temperature=0.7),
    chat("O11", "gpt-6-luna", top_p=0.5),
    chat("O12", "gpt-6-sol", logprobs=True),
    chat("O13", "gpt-6-luna", reasoning_effort="none", temperature=0.7, status=200),
    chat("O15", "gpt-6-luna", reasoning_effort="none", presence_penalty=1),
    chat("O15", "gpt-5.1", logit_bias={"1": 2}),
    chat("O16", "gpt-5.1", stop=["x"]),
    chat("O16", "o3", stop="x"),
    chat("O17", "gpt-6-luna", stop=["x"]),
    chat("O18", "gpt-6-luna", prompt_cache_retention="24h"),
    chat("O18", "gpt-5.5", prompt_cache_retention="in_memory"),
    chat("O18", "gpt-5.5", prompt_cache_options={"ttl": "12h"}),
    chat("O22", "gpt-99", status=404, says="model_not_found"),
    chat("O30", "gpt-4o", tools=[tool(f"t{i}") for i in range(129)], says="129"),
    chat(
        "O31",
        "gpt-4o",
        messages=[USER, {"role": "assistant", "tool_calls": called()["tool_calls"] * 129}],
        says="messages[1].tool_calls",
    ),
    chat("O32", "gpt-4o", tools=[], says="empty_array"),
    chat("O33", "gpt-4o", tool_choice="auto"),
    chat("O33", "gpt-4o", parallel_tool_calls=True),
    chat("O34", "gpt-4o", tools=[tool("a.b")], says="tools[0].function.name"),
    chat("O34", "gpt-4o", messages=[USER, called(name="a b"), result()], says="messages[1]"),
    chat("O34", "gpt-4o", response_format=json_schema(CLOSED, name="a b")),
    chat("O34", "gpt-4o", functions=[]),
    chat(
        "O34",
        "gpt-4o",
        tools=T,
        tool_choice={"type": "function", "function": {"name": "other"}},
        says="not found",
    ),
    chat("O35", "gpt-4o", tools=[tool(description="x" * 2000)], status=200),
    *strict("O36", {**CLOSED, "additionalProperties": True}, "additionalProperties"),
    *strict("O37", {**CLOSED, "required": []}, "Missing 'city'"),
    *strict("O38", {"anyOf": [CLOSED]}),
    *strict("O39", with_property(type="string", default="Rome"), "'default' is not permitted"),
    *strict("O39", with_property(oneOf=[{"type": "string"}])),
    *strict("O41", with_property(type="array", items={})),
    *strict("O41", with_property(type="string", pattern="(?=a)")),
    *strict("O41", with_property(type="string", format="uri")),
    *strict("O43", with_property(type="string", minLength=2), "'minLength' is not permitted"),
    *strict("O44", deep(11), "exceeds limit"),
    *strict(
        "O45",
        with_property(anyOf=[with_property("a", type="string"), with_property("a", type="null")]),
        "identical first keys",
    ),
    chat("O46", "gpt-4o", response_format={"type": "json_object"}, says="json"),
    chat("O60", "gpt-4o", messages=[USER, result()], says="preceeding"),
    chat("O60", "gpt-4o", messages=[USER, called("a"), result("a"), USER, result("a")]),
    chat("O61", "gpt-4o", messages=[USER, called(), USER], says="must be followed by"),
    chat("O62", "gpt-4o", messages=[USER, called("c" * 41), result("c" * 41)], says="41"),
    chat("O63", "gpt-4o", messages=[{**USER, "cache_control": {}}], says="unknown_parameter"),
    chat("O63", "gpt-4o", messages=[user({"type": "text", "text": "x", "cache_control": {}})]),
    chat("O63", "gpt-4o", tools=[{**tool(), "cache_control": {}}]),
    chat("O64", "gpt-4o", top_k=3, says="Unrecognized request argument supplied: top_k"),
    chat("O65", "gpt-4o", messages=[]),
    chat("O65", "gpt-4o", messages=[{"role": "user", "content": []}]),
    chat("O65", "gpt-4o", messages=[USER, {"role": "assistant"}]),
    chat("O66", "gpt-4o", messages=[{**USER, "name": "Ann B."}]),
    chat("O67", "gpt-4o", messages=[{"role": "user", "content": "x" * 10_485_761}]),
    chat("O68", "gpt-4o", messages=[user(image("AAAA"))], says="invalid_image_format"),
    chat("O68", "gpt-4o", messages=[user(image("!"))], says="invalid_base64_image"),
    chat("O69", "gpt-4o", messages=[USER, {"role": "system", "content": "x"}], status=200),
    chat("O69", "gpt-4o", messages=[{"role": "user", "content": " "}], status=200),
    chat("O69", "gpt-4o", messages=[user(image(media_type="image/jpeg"))], status=200),
    chat(
        "O69",
        "gpt-4o",
        messages=[USER, called(), result(), USER, called(), result(), USER],
        status=200,
    ),
    chat(
        "O70",
        "gpt-4o",
        messages=[user(*[image(base64.b64encode(b"\x89PNG" + bytes(26_000_000)).decode())] * 2)],
        says="exceeds the allowed limit of 50.0MB",
    ),
    chat("O80", "gpt-4o", messages=[{"role": "user", "content": LONG}], says="maximum context"),
    chat("O80", "gpt-5", messages=[{"role": "user", "content": LONG * 2}], says="configured limit"),
    chat("O81", "gpt-4o", max_tokens=20480, says="too large: 20480"),
    chat("O82", "gpt-4o", n=129),
    chat("O82", "gpt-4o", top_logprobs=2),
    chat("O82", "gpt-4o", stop=[]),
    chat("O82", "gpt-4o", stream_options={"include_usage": True}),
    chat("O82", "gpt-4o", temperature=2.5),
    chat("O83", "gpt-5", max_completion_tokens=50, says="Could not finish the message"),
    chat("O86", "gpt-4o", metadata={"a": "x" * 513}),
    chat("O86", "gpt-4o", metadata={"a": 1}),
    chat("O87", "gpt-4o", safety_identifier="x" * 65),
    chat("O88", "gpt-4o", prompt_cache_key="x" * 65, says="string_above_max_length"),
    chat("O89", "gpt-4o", account=Account(credit=False), status=429, says="insufficient_quota"),
    chat("O90", "gpt-4o", account=Account(rate_limited=True), status=429, says="Rate limit"),
    chat("O90", "gpt-4o", account=Account(key="k"), status=401, says="invalid_api_key"),
    chat("O91", "gpt-5", stream=True, account=Account(verified=False), says="must be verified"),
]

_THOUGHT: Json = {"type": "reasoning", "id": "rs_1", "summary": []}
_KEPT: Json = {**_THOUGHT, "encrypted_content": sign("x", 0, "gpt-6.1-sol")}
_CALL: Json = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"}
_OUT: Json = {"type": "function_call_output", "call_id": "c1", "output": "sunny"}
_FLAT: Json = {"type": "function", "name": "weather", "parameters": OBJECT}
_JSON: Json = {"type": "json_schema", "name": "a", "schema": CLOSED, "strict": True}

RESPONSES = [
    responses("R1", input=[USER, _KEPT, USER], says="required following item"),
    responses("R2", input=[USER, {**_CALL, "id": "fc_1"}, _OUT]),
    responses("R4", input=[USER, {"type": "item_reference", "id": "rs_1"}], status=404),
    responses("R4", input=[USER, _THOUGHT, _CALL, _OUT], status=404, says="not persisted"),
    responses("R5", input=[USER, {**_KEPT, "encrypted_content": "gAAA"}, _CALL, _OUT]),
    responses("R6", "gpt-4o", include=["reasoning.encrypted_content"]),
    responses("R6", include=["thoughts"]),
    responses(
        "R7",
        input=[USER, {n: v for n, v in _KEPT.items() if n != "id"}, _CALL, _OUT],
        include=["reasoning.encrypted_content"],
        status=200,
        says="encrypted_content",
    ),
    responses("R9", input=[USER, {**_CALL, "call_id": "c" * 65}, {**_OUT, "call_id": "c" * 65}]),
    responses("R9", tools=[{**_FLAT, "name": "a.b"}]),
    responses("R10", input=[]),
    responses("R10", input=[USER, _CALL], says="No tool output found"),
    responses("R11", tools=[tool()]),
    responses("R12", tools=[_FLAT], status=200, says='"strict":false'),
    responses("R14", stop=["x"]),
    responses("R14", reasoning_effort="low"),
    responses("R14", messages=[USER]),
    responses("R15", max_output_tokens=8),
    responses("R16", reasoning={"effort": "none"}),
    responses("R16", reasoning={"effort": "max"}, status=200),
    responses("R16", "gpt-4o", reasoning={"effort": "low"}),
    responses("R16", temperature=0.3),
    responses("R18", previous_response_id="x"),
    responses("R18", previous_response_id="resp_1", conversation="c"),
    responses("R19", input=[{"role": "user", "content": "x " * 1_900_000}], says="context window"),
    responses("R20", text={"format": {"type": "json_object"}}, instructions="json"),
    responses("R21", text={"format": {"type": "json_schema", "json_schema": _JSON}}),
    responses("R21", text={"format": {**_JSON, "schema": OBJECT}}),
    responses("R21", text={"format": _JSON}, status=200),
    responses("R22", tools=[_FLAT], tool_choice={"type": "function", "name": "other"}),
    responses("R24", "gpt-5.2", reasoning={"context": "all_turns"}),
    responses("R24", "gpt-5.5", reasoning={"mode": "x"}),
    responses("R25", account=Account(stop_reason="failed"), status=200, says='"failed"'),
    responses("R26", stream=True, status=200, says="event: response.completed"),
]
