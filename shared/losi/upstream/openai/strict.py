"""Rewrites strict schemas to the part of JSON Schema that OpenAI supports. Pure.

https://developers.openai.com/api/docs/guides/structured-outputs#supported-schemas. Other
keywords move into the description, which models mostly follow. If a schema cannot be rewritten, it
is sent as not strict. The answer is then checked by the caller's schema (losi.upstream.wishes).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from losi.upstream.schema_words import described

if TYPE_CHECKING:
    from losi.wire import JsonObject, JsonSchema
    from losi.wire.chat import AnswerSchema, FunctionDefinition, Request, Tool

_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)
_REFUSED = frozenset(
    {
        "minLength", "maxLength", "default", "uniqueItems", "contains", "minContains",
        "maxContains", "minProperties", "maxProperties", "propertyNames", "patternProperties",
        "unevaluatedProperties", "unevaluatedItems", "dependentRequired", "dependentSchemas", "not",
        "if", "then", "else",
    }
)  # fmt: skip
_LOOKAROUND = re.compile(r"\(\?(=|!|<=|<!)")
_REFERENCE = re.compile(r"#|#/(\$defs|definitions)/[^/]+")
#: One of these says what a value is.
_KINDS = frozenset({"type", "anyOf", "enum", "const"})


N = TypeVar("N", "FunctionDefinition", "AnswerSchema")


class _NotKeptError(Exception):
    """The schema contains something that strict schemas cannot express."""


def with_kept_schemas(body: Request) -> tuple[Request, frozenset[str]]:
    """A request whose strict schemas OpenAI accepts, and the parameters that this changed."""
    kept: Request = {**body}
    changed = set[str]()
    form = body.get("response_format")
    if form is not None and form["type"] == "json_schema":
        wanted = _fitting(form["json_schema"], "schema")
        if wanted is not form["json_schema"]:
            kept["response_format"] = {**form, "json_schema": wanted}
            changed.add("response_format")
    tools = [_tool(tool) for tool in body.get("tools") or ()]
    if any(ours is not theirs for ours, theirs in zip(tools, body.get("tools") or (), strict=True)):
        kept["tools"] = tools
        changed.add("tools")
    return kept, frozenset(changed)


def _tool(tool: Tool) -> Tool:
    function = tool.get("function")
    if not function:
        return tool
    fitting = _fitting(function, "parameters")
    return tool if fitting is function else {**tool, "function": fitting}


def _fitting(named: N, name: Literal["schema", "parameters"]) -> N:
    """A function or a form of answer; the same object where nothing had to change."""
    if not named.get("strict"):
        return named
    fields = cast("JsonObject", {**named})
    schema = fields.get(name) or {"type": "object"}
    kept = kept_schema(schema)
    if kept is None:
        fields["strict"] = False
    elif kept == schema:
        return named
    else:
        fields[name] = kept
    return cast(N, fields)


def kept_schema(schema: JsonSchema) -> JsonSchema | None:
    """The schema in OpenAI's part of JSON Schema. None if that is impossible: open objects,
    optional properties, values of any type, a root that is no object.
    """
    try:
        kept = _kept(schema)
    except _NotKeptError:
        return None
    return kept if kept.get("type") == "object" and "anyOf" not in kept else None


def _kept(schema: Any) -> JsonSchema:
    if not isinstance(schema, dict) or schema.keys() & {"allOf", "prefixItems"}:
        raise _NotKeptError
    if schema.keys() >= {"anyOf", "oneOf"}:
        raise _NotKeptError
    if "$ref" in schema:  # OpenAI allows no keyword beside it
        if not _REFERENCE.fullmatch(str(schema["$ref"])):
            raise _NotKeptError
        return {"$ref": schema["$ref"]}
    out, unsupported = dict[str, Any](), dict[str, Any]()
    for name, value in schema.items():
        if name in ("properties", "$defs", "definitions") and isinstance(value, dict):
            out[name] = {key: _kept(one) for key, one in value.items()}
        elif name == "items":
            out[name] = _kept(value)
        elif name in ("anyOf", "oneOf") and isinstance(value, list):
            out["anyOf"] = [_kept(one) for one in value]
        elif _is_refused(name, value):
            unsupported[name] = value
        else:
            out[name] = value
    if not out.keys() & _KINDS or (_is_object(out) and not _is_closed(out)):
        raise _NotKeptError
    return described(out, unsupported)


def _is_refused(name: str, value: Any) -> bool:
    if name == "format":
        return value not in _FORMATS
    return name in _REFUSED or (name == "pattern" and bool(_LOOKAROUND.search(str(value))))


def _is_object(schema: JsonSchema) -> bool:
    kinds = schema.get("type")
    return kinds == "object" or (isinstance(kinds, list) and "object" in kinds)


def _is_closed(schema: JsonSchema) -> bool:
    """Whether an object requires all its properties and allows no others."""
    optional = set(schema.get("properties") or ()).difference(schema.get("required") or ())
    return schema.get("additionalProperties") is False and not optional
