"""A request for each rule: what is asked, how, and what must come of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.strict_upstream.rules import Account, Json

#: A PNG of one pixel, and one that says it is larger.
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg"
    "=="
)
USER: Json = {"role": "user", "content": "Hi"}
OBJECT: Json = {"type": "object", "properties": {"city": {"type": "string"}}}
CLOSED: Json = {**OBJECT, "required": ["city"], "additionalProperties": False}


@dataclass(frozen=True)
class Provocation:
    """`status` 200: the rule says that this is taken. `says`: stands in the answer's body."""

    rule: str
    path: str
    body: Json
    status: int = 400
    says: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    account: Account = field(default_factory=Account)

    @property
    def name(self) -> str:
        return f"{self.rule} {self.body.get('model', self.path)} {','.join(self.body)}"[:120]


def with_property(name: str = "city", **schema: Any) -> Json:
    """A closed object with one property of this schema."""
    return {**CLOSED, "properties": {name: schema}, "required": [name]}


def chat(rule: str, model: str, *, to: str = "/v1", **more: Any) -> Provocation:
    settings = {name: more.pop(name) for name in ("status", "says", "account") if name in more}
    query = more.pop("query", "")
    body = {"model": model, "messages": [USER], **more}
    return Provocation(rule, f"{to}/chat/completions{query}", body, **settings)


def tool(name: str = "weather", schema: Json | None = None, **more: Any) -> Json:
    function = {"name": name, "parameters": schema or OBJECT, **more}
    return {"type": "function", "function": function}


def called(call_id: str = "c1", name: str = "weather", **more: Any) -> Json:
    call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": "{}"}}
    return {"role": "assistant", "content": None, "tool_calls": [{**call, **more}]}


def result(call_id: str = "c1") -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": "sunny"}


def json_schema(schema: Json, **more: Any) -> Json:
    wanted = {"name": "answer", "strict": True, "schema": schema, **more}
    return {"type": "json_schema", "json_schema": wanted}


def image(data: str = PIXEL, media_type: str = "image/png") -> Json:
    return {"type": "image_url", "image_url": {"url": f"data:{media_type};base64,{data}"}}


def user(*parts: Json) -> Json:
    return {"role": "user", "content": list(parts)}


def deep(levels: int) -> Json:
    schema: Json = {"type": "string"}
    for _ in range(levels):
        schema = with_property("a", **schema)
    return schema
