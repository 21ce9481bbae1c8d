"""Requests that Anthropic refuses, and some that it must not."""

import base64
import struct
from typing import Any

from tests.strict_upstream.provocations import (
    CLOSED,
    OBJECT,
    PIXEL,
    USER,
    Provocation,
    with_property,
)
from tests.strict_upstream.rules import Account, Json, models
from tests.strict_upstream.signatures import sign

S46, S5, S55, H45 = (
    "claude-sonnet-4-6", "claude-sonnet-5", "claude-sonnet-5-5", "claude-haiku-4-5",
)  # fmt: skip
VERSION = {"anthropic-version": "2023-06-01", "x-api-key": "k"}
MARK: Json = {"type": "ephemeral"}


def claude(rule: str, model: str = S46, **more: Any) -> Provocation:
    names = ("status", "says", "account", "headers")
    settings = {name: more.pop(name) for name in names if name in more}
    body = {"model": model, "max_tokens": 4096, "messages": [USER], **more}
    for name in more.pop("without", ()):
        del body[name]
    body.pop("without", None)
    return Provocation(rule, "/v1/messages", body, **{"headers": VERSION, **settings})


def tool(schema: Json | None = None, **more: Any) -> Json:
    return {"name": "weather", "input_schema": schema or OBJECT, **more}


T = [tool()]


def text(user: str = "Hi", **more: Any) -> Json:
    return {"type": "text", "text": user, **more}


def use(call_id: str = "t1", **more: Any) -> Json:
    return {"type": "tool_use", "id": call_id, "name": "weather", "input": {}, **more}


def result(call_id: str = "t1") -> Json:
    return {"type": "tool_result", "tool_use_id": call_id, "content": "sunny"}


def answer(*blocks: Json) -> Json:
    return {"role": "assistant", "content": list(blocks)}


def user(*blocks: Json) -> Json:
    return {"role": "user", "content": list(blocks)}


def image(data: str = PIXEL, media_type: str = "image/png") -> Json:
    source = {"type": "base64", "media_type": media_type, "data": data}
    return {"type": "image", "source": source}


def png(side: int, extra: int = 0) -> str:
    head = base64.b64decode(PIXEL)[:16] + struct.pack(">II", side, side)
    return base64.b64encode(head + bytes(extra)).decode()


def pdf(pages: int, **more: Any) -> Json:
    data = base64.b64encode(b"%PDF" + b"/Type /Page " * pages).decode()
    source = {"type": "base64", "media_type": "application/pdf", "data": data}
    return {"type": "document", "source": source, **more}


def thought(user: str = "I think", place: int = 0, **more: Any) -> Json:
    signature = sign("I think", place, S46)
    return {"type": "thinking", "thinking": user, "signature": signature, **more}


def kept(rule: str, schema: Json, says: str = "") -> list[Provocation]:
    """As a strict tool and as the format of the answer."""
    format_ = {"format": {"type": "json_schema", "schema": schema}}
    return [
        claude(rule, tools=[tool(schema, strict=True)], says=says),
        claude(rule, output_config=format_, says=says),
    ]


def by_model() -> list[Provocation]:
    """The table of what each model takes, cell by cell: what it refuses, and what it takes."""
    cells: list[Provocation] = []
    for model, row in models()["claude"].items():
        for kind in ("enabled", "adaptive", "disabled", "between_tools"):
            thinking = {"type": kind, **({"budget_tokens": 2000} if kind == "enabled" else {})}
            status = 200 if kind in row["thinking"] else 400
            cells.append(claude("A5", model, thinking=thinking, status=status))
        for effort in ("low", "medium", "high", "xhigh", "max"):
            config = {"effort": effort}
            status = 200 if effort in row["efforts"] else 400
            cells.append(claude("A10", model, output_config=config, status=status))
        status = 200 if row["sampling"] == "one" else 400
        cells.append(claude("A1", model, temperature=0.5, status=status))
        cells.append(claude("A1", model, top_k=5, status=status))
        status = 200 if row["forced"] else 400
        cells.append(claude("A8", model, tools=T, tool_choice={"type": "any"}, status=status))
        status = 200 if row.get("prefill") else 400
        cells.append(claude("A9", model, messages=[USER, answer(text())], status=status))
        status = 400 if row["system"] == "refused" else 200
        system = {"role": "system", "content": "x"}
        cells.append(claude("A11", model, messages=[USER, system], status=status))
        cells.append(claude("A12", model, max_tokens=row["output"] + 1))
    return cells


ANTHROPIC = [
    *by_model(),
    claude("A1", S5, temperature=1, status=200),
    claude("A1", "claude-opus-4-7", temperature=1, says="is deprecated for this model"),
    claude("A2", temperature=0.5, top_p=0.5, says="cannot both be specified"),
    claude("A3", thinking={"type": "adaptive"}, temperature=0.5, says="may only be set to 1"),
    claude("A3", thinking={"type": "adaptive"}, top_k=4),
    claude("A4", temperature=1.5),
    claude("A6", thinking={"type": "enabled", "budget_tokens": 1000}),
    claude("A6", thinking={"type": "enabled", "budget_tokens": 4096}),
    claude("A7", S55, thinking={"type": "between_tools"}, output_config={"effort": "max"}),
    claude("A7", "claude-opus-5", thinking={"type": "disabled"}, output_config={"effort": "xhigh"}),
    claude("A7", S55, thinking={"type": "between_tools", "display": "omitted"}),
    claude(
        "A8",
        tools=T,
        tool_choice={"type": "any"},
        thinking={"type": "enabled", "budget_tokens": 2000},
    ),
    claude("A8", S5, tools=T, tool_choice={"type": "any"}, status=200, says="tool_use"),
    claude("A11", S55, messages=[{"role": "system", "content": "x"}, USER]),
    claude("A20", messages=[]),
    claude("A20", without=["max_tokens"], says="max_tokens: Field required"),
    claude("A21", messages=[answer(text()), USER, USER], status=200),
    claude("A22", messages=[user(text(" "))], says="must contain non-whitespace text"),
    claude("A22", messages=[user(text(""))], says="must be non-empty"),
    claude("A23", H45, messages=[USER, answer(text("So "))], says="trailing whitespace"),
    claude("A24", tools=T, messages=[USER, answer(use()), USER], says="without `tool_result`"),
    claude("A24", tools=T, messages=[USER, answer(use(), text()), user(result())]),
    claude("A25", tools=T, messages=[user(result())], says="unexpected `tool_use_id`"),
    claude("A26", tools=T, messages=[USER, answer(use()), user(text(), result())]),
    claude("A28", tools=T, messages=[USER, answer(use(), use()), user(result())], says="unique"),
    claude("A28", tools=T, messages=[USER, answer(use()), user(result(), result())]),
    claude("A29", tools=T, messages=[USER, answer(use("a.b")), user(result("a.b"))]),
    claude("A29", tools=T, messages=[USER, answer(use(name="fs.list dir")), user(result())]),
    claude("A29", tools=[tool(name="a.b")]),
    claude("A30", tools=[tool(), tool()], says="unique"),
    claude("A31", messages=[USER, answer(use()), user(result())], says="must define tools"),
    claude("A33", tools=[{"name": "weather"}], says="input_schema: Field required"),
    claude("A33", tools=[tool({"type": "string"})]),
    claude("A33", tools=[tool({"type": "object", "properties": None})]),
    claude("A34", tools=[tool({**OBJECT, "anyOf": []})], says="at the top level"),
    claude("A35", tools=[tool(with_property("the city", type="string"))], says="Property keys"),
    *kept("A36", OBJECT, "additionalProperties"),
    *kept("A37", with_property(type="integer", minimum=1), "minimum"),
    *kept("A37", with_property(type="array", items={"type": "string"}, minItems=2), "minItems"),
    *kept("A37", with_property(type="string", maxLength=4)),
    *kept("A38", with_property(oneOf=[{"type": "string"}]), "oneOf"),
    *kept("A38", with_property(description="anything")),
    *kept("A38", {**with_property(**{"$ref": "#/$defs/a"}), "$defs": {"a": {"$ref": "#/$defs/a"}}}),
    *kept("A39", with_property(type="string", format="color")),
    claude("A40", tools=[tool(CLOSED, name=f"t{i}", strict=True) for i in range(21)]),
    *kept("A40", {**CLOSED, "required": [], "properties": {f"p{i}": CLOSED for i in range(25)}}),
    claude("A41", tools=[tool({**OBJECT, "additionalProperties": True})], status=200),
    claude(
        "A42",
        output_config={"format": {"type": "json_schema", "schema": CLOSED}},
        messages=[user(text(), pdf(1, citations={"enabled": True}))],
    ),
    claude("A43", messages=[user(*[text()] * 30, text(cache_control=MARK))], status=200),
    claude("A44", stop_sequences=["\n"], says="non-whitespace"),
    claude("A44", stop_sequences=[""], says="must be non-empty"),
    claude("A45", messages=[user(*[text(cache_control=MARK)] * 5)], says="maximum of 4 blocks"),
    claude("A45", messages=[user(text(cache_control={**MARK, "ttl": "2h"}))]),
    claude("A46", messages=[user(text(), text("", cache_control=MARK))], says="empty text blocks"),
    claude(
        "A47",
        messages=[user(text(cache_control=MARK), text(cache_control={**MARK, "ttl": "1h"}))],
        says="must not come after",
    ),
    claude(
        "A47",
        cache_control=MARK,
        messages=[user(text(cache_control={**MARK, "ttl": "1h"}))],
        says="Top-level cache_control",
    ),
    claude("A48", metadata={"user_id": "ann@example.com"}, says="an email address"),
    claude("A48", metadata={"user_id": "+49 30 1234567"}),
    claude("A49", metadata={"user_id": "x" * 257}),
    claude("A50", response_format={"type": "text"}, says="Extra inputs are not permitted"),
    claude("A50", messages=[{**USER, "name": "ann"}]),
    claude("A50", messages=[user(text(refusal="x"))]),
    claude("A50", system=[text(cache_control={**MARK, "scope": "global"})], says="ephemeral.scope"),
    claude("A51", messages=[USER, answer(thought(cache_control=MARK), text()), USER]),
    claude("A52", max_tokens=0, stream=True),
    claude("A53", H45, messages=[user(text("x " * 450_000))], says="prompt is too long"),
    claude("A60", messages=[USER, answer(thought("I thought"), text()), USER], says="Invalid"),
    claude(
        "A60",
        messages=[USER, answer(thought(), thought(place=2), text()), USER],
        says="cannot be modified",
    ),
    claude("A61", messages=[USER, answer(thought("", signature=""), text()), USER]),
    claude(
        "A62",
        S55,
        messages=[
            USER,
            answer({**thought(), "signature": sign("I think", 0, S55, "another")}, text()),
            USER,
        ],
        says="bound to a different conversation",
    ),
    claude(
        "A62",
        S55,
        messages=[
            USER,
            answer(
                {**thought(), "signature": sign("I think", 0, S55, [None, None, [USER]])}, text()
            ),
            USER,
        ],
        status=200,
    ),
    claude("A63", S5, messages=[USER, answer(thought(), text()), USER], status=200),
    claude(
        "A64",
        tools=T,
        thinking={"type": "enabled", "budget_tokens": 2000},
        messages=[USER, answer(use()), user(result())],
        says="but found `tool_use`",
    ),
    claude("A65", messages=[user(image(media_type="image/bmp"))]),
    claude("A65", messages=[user(image(media_type="image/jpeg"))], says="appears to be"),
    claude("A66", messages=[user(image(png(8001)))], says="8000 pixels"),
    claude("A66", messages=[user(*[image(png(2001))] * 21)], says="many-image"),
    claude("A66", messages=[user(image(png(10, 8_000_000)))], says="10 MB"),
    claude("A67", H45, messages=[user(*[image()] * 101)]),
    claude("A68", messages=[user(text("x" * 34_000_000))], status=413, says="request_too_large"),
    claude("A69", H45, messages=[user(text(), pdf(101))], says="maximum of 100 PDF pages"),
    claude("A70", headers={**VERSION, "authorization": "Bearer k"}, status=401),
    claude("A71", account=Account(credit=False), says="credit balance is too low"),
    claude("A72", account=Account(key="other"), status=401, says="authentication_error"),
    claude("A72", account=Account(overloaded=True), status=529, says="overloaded_error"),
    claude("A72", account=Account(rate_limited=True), status=429),
    claude("A72", account=Account(fails_with=504), status=504, says="timeout_error"),
    claude("A72", "claude-9", status=404, says="not_found_error"),
    claude(
        "A73", stream=True, account=Account(breaks_streams=True), status=200, says="event: error"
    ),
    claude("A74", "claude-fable-5-1", account=Account(retention=False)),
    claude("A74", account=Account(stop_reason="refusal"), status=200, says='"content":[]'),
    claude("A76", headers={"x-api-key": "k"}, says="anthropic-version: header is required"),
    claude("A76", headers={**VERSION, "anthropic-version": "a, b"}, says="is not a valid version"),
]
