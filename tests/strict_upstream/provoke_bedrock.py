"""Requests that Bedrock refuses, and some that it must not."""

import base64
from typing import Any
from urllib.parse import quote

from tests.strict_upstream.provocations import (
    CLOSED,
    OBJECT,
    PIXEL,
    USER,
    Provocation,
    with_property,
)
from tests.strict_upstream.provoke_anthropic import png
from tests.strict_upstream.rules import Account, Json

S46, S55 = "us.anthropic.claude-sonnet-4-6", "global.anthropic.claude-sonnet-5-5"
NOVA, LLAMA = "us.amazon.nova-pro-v1:0", "us.meta.llama4-maverick-17b-instruct-v1:0"
MISTRAL, QWEN = "mistral.mistral-large-3", "qwen.qwen3-235b"
HI: Json = {"text": "Hi"}
POINT: Json = {"cachePoint": {"type": "default"}}


def user(*blocks: Json) -> Json:
    return {"role": "user", "content": list(blocks or (HI,))}


def answer(*blocks: Json) -> Json:
    return {"role": "assistant", "content": list(blocks or (HI,))}


def converse(rule: str, model: str = S46, *, stream: bool = False, **more: Any) -> Provocation:
    settings = {name: more.pop(name) for name in ("status", "says", "account") if name in more}
    path = f"/model/{quote(model, safe='')}/converse{'-stream' * stream}"
    return Provocation(rule, path, {"messages": [user()], **more}, **settings)


def tool(schema: Json | None = None, **more: Any) -> Json:
    return {"toolSpec": {"name": "weather", "inputSchema": {"json": schema or OBJECT}, **more}}


def tools(*some: Json, choice: Json | None = None) -> Json:
    return {"tools": list(some or (tool(),)), **({"toolChoice": choice} if choice else {})}


def use(call_id: str = "t1", **more: Any) -> Json:
    return {"toolUse": {"toolUseId": call_id, "name": "weather", "input": {}, **more}}


def result(call_id: str = "t1", *content: Json, **more: Any) -> Json:
    given = list(content or ({"text": "sunny"},))
    return {"toolResult": {"toolUseId": call_id, "content": given, **more}}


def document(
    name: str = "Report", format_: str = "pdf", data: bytes = b"%PDF", **more: Any
) -> Json:
    source = {"bytes": base64.b64encode(data).decode()}
    return {"document": {"name": name, "format": format_, "source": source, **more}}


def image(data: str = PIXEL, format_: str = "png") -> Json:
    return {"image": {"format": format_, "source": {"bytes": data}}}


def loop(*beside: Json, model: str = S46, inside: tuple[Json, ...] = ()) -> dict[str, Any]:
    """Arguments of a conversation with a tool call, its result, and what stands beside it."""
    turns = [user(), answer(use()), user(result("t1", *inside), *beside)]
    return {"model": model, "messages": turns, "toolConfig": tools()}


ANY: Json = {"any": {}}
BEDROCK = [
    converse("B1", messages=[user(), answer(use()), user(result())], says="must be defined"),
    converse("B2", toolConfig={"tools": []}),
    converse("B2", toolConfig=tools(choice={"none": {}})),
    converse("B2", toolConfig=tools(tool(name="a.b"))),
    converse("B2", toolConfig=tools(tool(description=""))),
    converse("B2", toolConfig=tools(), messages=[user(), answer(use("a b")), user(result("a b"))]),
    converse(
        "B3",
        toolConfig=tools(choice=ANY),
        additionalModelRequestFields={"tool_choice": {"type": "any"}},
    ),
    converse(
        "B3",
        toolConfig=tools(choice=ANY),
        additionalModelRequestFields={"tool_choice": {"disable_parallel_tool_use": True}},
        status=200,
    ),
    converse("B4", S55, toolConfig=tools(choice=ANY), says="are not supported"),
    converse(
        "B4",
        toolConfig=tools(choice=ANY),
        additionalModelRequestFields={"thinking": {"type": "enabled", "budget_tokens": 2000}},
    ),
    converse(
        "B4",
        toolConfig=tools(choice=ANY),
        additionalModelRequestFields={"thinking": {"type": "adaptive"}},
        status=200,
    ),
    converse("B6", **loop(model=MISTRAL), says="length of 9"),
    converse("B7", S55, toolConfig=tools(tool(CLOSED, strict=True)), says="Extra inputs"),
    converse("B7", NOVA, toolConfig=tools(tool(CLOSED, strict=True))),
    converse("B7", S46, toolConfig=tools(tool(CLOSED, strict=True)), status=200),
    converse("B8", S55, outputConfig={"textFormat": {"type": "json_schema"}}),
    converse(
        "B9",
        toolConfig=tools(tool(with_property(type="array", maxItems=2), strict=True)),
        says="'maxItems' is not supported",
    ),
    converse("B9", toolConfig=tools(tool(with_property(type="integer", minimum=1), strict=True))),
    converse(
        "B9",
        toolConfig=tools(tool(with_property(type="string", maxLength=4), strict=True)),
        status=200,
    ),
    converse("B10", messages=[user({"text": " "})], says="non-whitespace"),
    converse("B11", messages=[], says="must start with a user message"),
    converse("B11", messages=[user(), {"role": "assistant", "content": []}, user()]),
    converse("B11", NOVA, messages=[answer(), user()], says="must start with a user message"),
    converse("B11", S46, messages=[answer(), user()], status=200),
    converse("B13", messages=[user(document())], says="text block must be included"),
    converse("B14", messages=[user(HI, document()), answer(), user(HI, document())]),
    converse(
        "B15", messages=[user(HI, *(document(f"R{i}") for i in range(6)))], says="5 documents"
    ),
    converse("B16", messages=[user(HI, document("a.b"))], says="alphanumeric"),
    converse("B16", messages=[user(HI, document("a" * 201))]),
    converse("B16", messages=[user(HI, document(format_="zip"))]),
    converse("B16", messages=[user(HI, document(data=bytes(4_800_000)))], says="4.5 MB"),
    converse("B17", messages=[user(HI, *[image()] * 21)], says="20 images"),
    converse("B17", messages=[user(HI, image(png(8001)))]),
    converse("B17", messages=[user(HI, image(format_="bmp"))]),
    converse("B17", messages=[user(), answer(image()), user()]),
    converse("B19", **loop(HI, document()), says="beside a toolResult"),
    converse("B20", **loop(HI, model=LLAMA)),
    converse("B20", **loop(model=QWEN, inside=(image(),))),
    converse("B20", **loop(model=NOVA, inside=(document(),))),
    converse(
        "B20",
        "us.writer.palmyra-x5",
        toolConfig=tools(),
        messages=[user(), answer(use()), user(result(status="success"))],
    ),
    converse(
        "B21",
        toolConfig=tools(),
        messages=[
            user(),
            answer(use()),
            user({"toolResult": {"toolUseId": "t1", "content": [], "status": "error"}}),
        ],
        says="cannot be empty",
    ),
    converse("B21", toolConfig=tools(), messages=[user(), answer(use(input=[])), user(result())]),
    converse("B22", toolConfig=tools(), messages=[user(), answer(use(), use()), user(result())]),
    converse("B22", toolConfig=tools(), messages=[user(), answer(use(), HI), user(result())]),
    converse("B23", messages=[user(), answer()], says="prefill"),
    converse("B23", NOVA, messages=[user(), answer({"text": "So "})], says="trailing whitespace"),
    converse("B25", inferenceConfig={"temperature": 1.5}),
    converse("B25", inferenceConfig={"maxTokens": 0}),
    converse("B25", requestMetadata={"a": "é"}),
    converse("B26", S55, inferenceConfig={"temperature": 0.5}, says="deprecated"),
    converse("B26", S55, additionalModelRequestFields={"top_k": 5}),
    converse("B27", LLAMA, additionalModelRequestFields={"top_k": 5}),
    converse(
        "B27", "us.openai.gpt-6-luna", additionalModelRequestFields={"reasoning_effort": "low"}
    ),
    converse("B28", additionalModelRequestFields={"output_config": {"effort": "xhigh"}}),
    converse(
        "B28", "openai.gpt-oss-120b", additionalModelRequestFields={"reasoning_effort": "max"}
    ),
    converse(
        "B28", "us.deepseek.r1-v1:0", additionalModelRequestFields={"reasoning_effort": "low"}
    ),
    converse(
        "B29",
        additionalModelRequestFields={"thinking": {"type": "enabled", "budget_tokens": 500}},
    ),
    converse(
        "B30",
        NOVA,
        messages=[
            user(),
            answer({"reasoningContent": {"reasoningText": {"text": "x", "signature": "y"}}}, HI),
            user(),
        ],
    ),
    converse("B31", messages=[user(POINT, HI)]),
    converse("B31", messages=[user(HI, POINT, POINT)]),
    converse("B31", LLAMA, messages=[user(HI, POINT)]),
    converse("B31", messages=[user(*[HI, POINT] * 5)], says="more than 4"),
    converse("B31", messages=[user(HI, document(format_="txt"), POINT)]),
    converse("B31", messages=[user(HI, POINT)], status=200),
    converse("B32", NOVA, messages=[user(HI, document(citations={"enabled": True}))]),
    Provocation("B33", f"/model/{S46}/invoke", {"x": "x" * 25_000_000}, says="25000000"),
    converse("B34", messages=[user(HI, document(data=b"%PDF" + b"/Type /Page " * 101))]),
    converse("B35", "acme.model", says="model identifier is invalid"),
    converse("B35", NOVA, messages=[user({"text": "x " * 300_000})], says="Input is too long"),
    converse("B35", account=Account(retention=False), says="data retention mode"),
    converse("B36", "anthropic.claude-sonnet-4-6", says="isn’t supported"),
    converse("B37", additionalModelResponseFieldPaths=["/a"] * 11),
    converse("B37", messages=[user(HI, image(""))]),
    converse("B37", messages=[{"role": "tool", "content": [HI]}]),
    converse("B38", NOVA, inferenceConfig={"maxTokens": 20_000}, says="model limit of 10000"),
    converse("B39", account=Account(rate_limited=True), status=429, says="Too many requests"),
    converse("B39", account=Account(fails_with=424), status=424),
    converse(
        "B40",
        account=Account(stop_reason="malformed_tool_use"),
        status=200,
        says="malformed_tool_use",
    ),
    Provocation("B50", "/openai/v1/responses", {"input": [USER]}, says="'model'"),
    Provocation("B50", "/openai/v1/responses", {"model": "openai.gpt-6-luna", "input": [USER]}),
    Provocation(
        "B50",
        "/openai/v1/responses",
        {"model": "us.openai.gpt-6-luna", "input": [USER], "previous_response_id": "r"},
        status=404,
    ),
    Provocation(
        "B51",
        "/mantle/v1/chat/completions",
        {"model": "anthropic.claude-sonnet-4-6", "messages": [USER]},
    ),
    Provocation(
        "B52",
        "/mantle/anthropic/v1/messages",
        {"model": "anthropic.claude-sonnet-4-6", "messages": [USER], "container": "c"},
    ),
    converse("B53", additionalModelRequestFields={"anthropic_beta": ["x"]}, says="beta flag"),
]
