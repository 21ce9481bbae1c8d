"""JSON Schemas as Claude takes them, at Anthropic and on Bedrock alike. Pure.

Structured output and strict tools support a part of JSON Schema. Ordinary schemas are rewritten to
this part, as Anthropic's own SDKs do (anthropic, lib/_parse/_transform.py): unsupported keywords
move into the description, which models mostly follow.
https://platform.claude.com/docs/en/build-with-claude/structured-outputs
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from losi.upstream.conversation import JSON_INSTRUCTION, answer_schema
from losi.upstream.schema_words import described

if TYPE_CHECKING:
    from losi.wire import JsonSchema
    from losi.wire.chat import ResponseFormat, Tool

_FORMATS = frozenset(
    {
        "date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid",
    }
)  # fmt: skip
#: A schema with more than these is refused as too complex.
_MOST_OPTIONAL = 24
_MOST_UNIONS = 16
_PROPERTY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_UNIONS = ("anyOf", "oneOf", "allOf")


class _NotKeptError(Exception):
    """The schema contains something that Claude cannot be held to."""


def kept_schema(schema: JsonSchema) -> JsonSchema | None:
    """The schema as Claude can be held to it; None if no rewriting allows that. Not kept:
    recursion, references out of the schema, values of any type, objects with any keys (Claude
    answers those with `{}`), and schemas that are too complex.
    """
    try:
        _refuse_recursion(schema)
        kept = _rewritten(schema)
    except _NotKeptError:
        return None
    optional, unions = _complexity(kept)
    return kept if optional <= _MOST_OPTIONAL and unions <= _MOST_UNIONS else None


def format_instruction(
    response_format: ResponseFormat | None, *, native: bool = True
) -> str | None:
    """The words that ask for JSON where structured output cannot: for any JSON object, for a schema
    that Claude cannot be held to, and for every schema if the model has no field for it (not
    `native`). None if no words are needed.
    """
    if response_format is None:
        return None
    if response_format["type"] == "json_object":
        return JSON_INSTRUCTION
    if response_format["type"] != "json_schema":
        return None
    schema = answer_schema(response_format)
    return None if native and kept_schema(schema) else _schema_instruction(schema)


def is_loosened(response_format: ResponseFormat | None, *, native: bool = True) -> bool:
    """Whether a rewritten schema or words hold Claude to less than the caller asks for."""
    if format_instruction(response_format, native=native):
        return True
    if response_format is None or response_format["type"] != "json_schema":
        return False
    schema = answer_schema(response_format)
    return kept_schema(schema) != schema


def are_loosened(tools: Iterable[Tool], *, native: bool = True) -> bool:
    """Whether Claude is held to less than the schema of a strict tool. A model that accepts no
    strict tools (not `native`) is held to none.
    """
    functions = [function for tool in tools if (function := tool.get("function"))]
    strict = [function.get("parameters") for function in functions if function.get("strict")]
    return any(schema and (not native or kept_schema(schema) != schema) for schema in strict)


def _schema_instruction(schema: JsonSchema) -> str:
    return (
        "Answer with one valid JSON value that matches this JSON Schema, and nothing else: no text "
        f"around it, no code fence. {json.dumps(schema, ensure_ascii=False)}"
    )


def tool_schema(parameters: JsonSchema) -> JsonSchema:
    """A tool's parameters as Claude accepts them: an object without a union at its top, and without
    property names in characters that Claude refuses. The description names what was removed.
    """
    schema = {name: value for name, value in parameters.items() if name not in _UNIONS}
    unions = {name: parameters[name] for name in _UNIONS if parameters.get(name)}
    for name, branches in unions.items():
        schema = _merged(
            schema, [b for b in branches if isinstance(b, dict)], every=name == "allOf"
        )
    if unions:
        schema = described(schema, unions)
    if schema.get("properties", {}) is None:
        del schema["properties"]
    named: JsonSchema = _with_fitting_names({**schema, "type": "object"})
    return named


def _merged(schema: JsonSchema, branches: list[JsonSchema], *, every: bool) -> JsonSchema:
    """The properties of all branches; required are those that every branch requires."""
    properties = dict(schema.get("properties") or {})
    for branch in branches:
        properties |= branch.get("properties") or {}
    wanted = [set(branch.get("required") or ()) for branch in branches]
    common = set[str]().union(*wanted) if every else set[str].intersection(*(wanted or [set()]))
    required = sorted(common | set(schema.get("required") or ()))
    merged = {**schema, "properties": properties}
    return {**merged, "required": required} if required else merged


def _with_fitting_names(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_with_fitting_names(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    out = {name: _with_fitting_names(value) for name, value in schema.items()}
    properties = out.get("properties")
    if not isinstance(properties, dict):
        return out
    odd = {name: value for name, value in properties.items() if not _PROPERTY.fullmatch(name)}
    if odd:
        out["properties"] = {n: value for n, value in properties.items() if n not in odd}
        out["required"] = [name for name in out.get("required") or () if name not in odd]
        out.pop("additionalProperties", None)
        out = described(out, {"further properties": odd})
    return out


def _rewritten(schema: Any) -> JsonSchema:
    if not isinstance(schema, dict):
        raise _NotKeptError
    rest = dict(schema)
    out: JsonSchema = {}
    if "$defs" in rest:
        out["$defs"] = {name: _rewritten(one) for name, one in rest.pop("$defs").items()}
    if "$ref" in rest:
        return {**out, "$ref": rest["$ref"]}
    kinds = rest.get("type")
    if isinstance(kinds, list):  # one type each, as Claude accepts unions
        del rest["type"]
        rest["anyOf"] = [{**rest, "type": kind} for kind in kinds]
        rest = {name: rest[name] for name in ("anyOf", "title", "description") if name in rest}
    kind = _add_kind(out, rest)
    for name in ("description", "title"):
        if rest.get(name) is not None:
            out[name] = rest[name]
        rest.pop(name, None)
    {"object": _add_object, "string": _add_string, "array": _add_array}.get(kind, _add_nothing)(
        out, rest
    )
    rest = {name: value for name, value in rest.items() if not name.startswith("$")}
    return described(out, rest)


def _add_kind(out: JsonSchema, rest: JsonSchema) -> str:
    """Add what kind of value the schema describes: literals, a union, or a type. Returns the
    type.
    """
    kind = rest.pop("type", None)
    for name in ("enum", "const"):
        values = rest.get(name) if name == "enum" else [rest.get(name)]
        if name in rest and values and all(not isinstance(v, dict | list) for v in values):
            out[name] = rest.pop(name)
    for name in _UNIONS:
        branches = rest.pop(name, None)
        if isinstance(branches, list) and not out.keys() & {"anyOf", "allOf"}:
            out["allOf" if name == "allOf" else "anyOf"] = [_rewritten(one) for one in branches]
    if out.keys() & {"enum", "const", "anyOf", "allOf"}:
        return "any"
    if kind is None:
        raise _NotKeptError
    out["type"] = kind
    return str(kind)


def _add_object(out: JsonSchema, rest: JsonSchema) -> None:
    properties = rest.pop("properties", None) or {}
    more = rest.pop("additionalProperties", None)
    if not all(_PROPERTY.fullmatch(name) for name in properties):
        raise _NotKeptError
    if isinstance(more, dict) or (not properties and more is not False):
        raise _NotKeptError  # any keys
    out["properties"] = {name: _rewritten(one) for name, one in properties.items()}
    out["additionalProperties"] = False
    if isinstance(required := rest.pop("required", None), list):
        out["required"] = required


def _add_string(out: JsonSchema, rest: JsonSchema) -> None:
    if rest.get("format") in _FORMATS:
        out["format"] = rest.pop("format")


def _add_array(out: JsonSchema, rest: JsonSchema) -> None:
    if "items" not in rest:
        raise _NotKeptError
    out["items"] = _rewritten(rest.pop("items"))
    if rest.get("minItems") in (0, 1):
        out["minItems"] = rest.pop("minItems")


def _add_nothing(out: JsonSchema, rest: JsonSchema) -> None:
    pass


def _refuse_recursion(schema: JsonSchema) -> None:
    definitions = schema.get("$defs") or {}
    done: set[str] = set()

    def follow(node: Any, above: frozenset[str]) -> None:
        if isinstance(node, list):
            for one in node:
                follow(one, above)
        if not isinstance(node, dict):
            return
        if isinstance(ref := node.get("$ref"), str):
            name = ref.removeprefix("#/$defs/")
            if ref in above or name not in definitions or name == ref:
                raise _NotKeptError
            if ref not in done:
                follow(definitions[name], above | {ref})
                done.add(ref)
        for name, value in node.items():
            if name != "$defs":
                follow(value, above)

    follow(schema, frozenset())


def _complexity(schema: Any) -> tuple[int, int]:
    """The numbers of optional properties and unions in a rewritten schema."""
    if isinstance(schema, list):
        counts = [_complexity(one) for one in schema]
    elif isinstance(schema, dict):
        counts = [_complexity(value) for value in schema.values()]
        properties = schema.get("properties")
        if isinstance(properties, dict):
            counts.append((len(properties.keys() - set(schema.get("required", ()))), 0))
        counts.append((0, int(isinstance(schema.get("anyOf"), list))))
    else:
        return 0, 0
    return sum(optional for optional, _ in counts), sum(unions for _, unions in counts)
