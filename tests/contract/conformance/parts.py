"""Messages, parts and tools that asks are made of."""

import base64

from tests.strict_upstream.provocations import CLOSED, OBJECT, PIXEL
from tests.strict_upstream.rules import Json

USER: Json = {"role": "user", "content": "Hi"}
WEATHER: Json = {
    "type": "function",
    "function": {"name": "weather", "description": "Now", "parameters": OBJECT},
}
CALL_WEATHER = {"role": "user", "content": "Call weather for both, Rome and Oslo."}
NAMED = {"type": "function", "function": {"name": "weather"}}
PDF = "data:application/pdf;base64,JVBERi0xLjQK"
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def user(*content: Json) -> Json:
    return {"role": "user", "content": list(content)}


def text(said: str = "What is this?", **more: object) -> Json:
    return {"type": "text", "text": said, **more}


def image(label: str = "image/png") -> Json:
    return {"type": "image_url", "image_url": {"url": f"data:{label};base64,{PIXEL}"}}


def file(name: str = "report.pdf") -> Json:
    return {"type": "file", "file": {"filename": name, "file_data": PDF}}


def text_file(name: str = "notes.md", kind: str = "text/markdown") -> Json:
    data = base64.b64encode(b"# Notes\nIt is well.").decode()
    return {"type": "file", "file": {"filename": name, "file_data": f"data:{kind};base64,{data}"}}


def called(*ids: str, name: str = "weather", **more: object) -> Json:
    function = {"name": name, "arguments": '{"city": "Rome"}'}
    calls = [{"id": one, "type": "function", "function": function} for one in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls, **more}


def result(call_id: str, content: object = "sunny") -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def assistant(content: str = "Hello.", **more: object) -> Json:
    return {"role": "assistant", "content": content, **more}


def tools(schema: Json, **more: object) -> Json:
    function = {"name": "weather", "parameters": schema, **more}
    return {"tools": [{"type": "function", "function": function}]}


def json_schema(schema: Json, *, strict: bool = True) -> Json:
    wanted = {"name": "answer", "schema": schema, "strict": strict}
    return {"response_format": {"type": "json_schema", "json_schema": wanted}}


def prop(**schema: object) -> Json:
    return {**CLOSED, "properties": {"city": schema}}
