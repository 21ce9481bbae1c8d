"""What strict schemas may not hold: OpenAI's O36 to O45, Anthropic's A36 to A40, Bedrock's B9."""

import re
from collections.abc import Callable, Iterator
from typing import Any

Json = dict[str, Any]
Found = Iterator[str]

_MAPS = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE = (
    "items",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "additionalProperties",
)
_LOOKAROUND = re.compile(r"\(\?(=|!|<=|<!)")
_BACK_REFERENCE = re.compile(r"\\[1-9]")


def nodes(schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Json]]:
    """Every schema within a schema, with its path, itself first."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for name in _MAPS:
        for key, child in _items(schema.get(name)):
            yield from nodes(child, (*path, name, key))
    for name in _LISTS:
        for i, child in enumerate(schema.get(name) or () if _is_list(schema.get(name)) else ()):
            yield from nodes(child, (*path, name, str(i)))
    for name in _SINGLE:
        yield from nodes(schema.get(name), (*path, name))


def _items(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_object(schema: Json) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind)


# --- OpenAI: https://developers.openai.com/api/docs/guides/structured-outputs

_NOT_PERMITTED = {
    "allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas",
    "patternProperties", "propertyNames", "unevaluatedProperties", "unevaluatedItems",
    "minProperties", "maxProperties", "contains", "minContains", "maxContains", "uniqueItems",
    "default",
}  # fmt: skip
_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}


def closed(schema: Json) -> Found:
    """O36"""
    for path, node in nodes(schema):
        if _is_object(node) and node.get("additionalProperties") is not False:
            yield (
                f"In context={path!r}, 'additionalProperties' is required to be supplied and to be "
                "false."
            )


def all_required(schema: Json) -> Found:
    """O37"""
    for path, node in nodes(schema):
        missing = set(node.get("properties") or ()) - set(node.get("required") or ())
        if _is_object(node) and missing:
            yield (
                f"In context={path!r}, 'required' is required to be supplied and to be an array "
                f"including every key in properties. Missing '{min(missing)}'."
            )


def root(schema: Json) -> Found:
    """O38"""
    if "anyOf" in schema or ("$ref" not in schema and schema.get("type") != "object"):
        yield "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'."


def keywords(schema: Json) -> Found:
    """O39"""
    for path, node in nodes(schema):
        if found := sorted(_NOT_PERMITTED & node.keys()):
            yield f"In context={path!r}, '{found[0]}' is not permitted."


def references(schema: Json) -> Found:
    """O41"""
    for path, node in nodes(schema):
        where = f"In context={path!r}, "
        ref, pattern = node.get("$ref"), str(node.get("pattern", ""))
        if ref is not None and node.keys() - {"$ref", "$defs"}:
            yield where + "'$ref' cannot have keywords beside it."
        if ref is not None and not re.fullmatch(r"#|#/(\$defs|definitions)/[^/]+", str(ref)):
            yield where + f"reference to component '{ref}' which was not found in the schema."
        items = node.get("items")
        if isinstance(items, dict) and not items.keys() & {
            "type",
            "anyOf",
            "$ref",
            "enum",
            "const",
        }:
            yield where + "schema must have a 'type' key."
        if "prefixItems" in node:
            yield where + "'prefixItems' is not permitted."
        if _LOOKAROUND.search(pattern):
            yield where + "'pattern' must not use lookaround."
        if node.get("format") is not None and node["format"] not in _FORMATS:
            yield where + f"'{node['format']}' is not a valid format."


def lengths(schema: Json) -> Found:
    """O43"""
    for path, node in nodes(schema):
        for name in ("minLength", "maxLength"):
            if name in node:
                yield f"In context={path!r}, '{name}' is not permitted."


def sizes(schema: Json) -> Found:
    """O44"""
    properties = enums = characters = 0
    for path, node in nodes(schema):
        names = list(node.get("properties") or ())
        enum = [str(value) for value in node.get("enum") or ()]
        properties, enums = properties + len(names), enums + len(enum)
        characters += sum(map(len, [*names, *enum]))
        if sum(name in ("properties", "items") for name in path) > 10:
            yield "11 levels of nesting exceeds limit of 10."
        if len(enum) > 250 and sum(map(len, enum)) > 15_000:
            yield "enum values exceed the limit of 15000 characters."
    if properties > 5000 or enums > 1000 or characters > 120_000:
        yield "schema exceeds the limits on properties, enum values and characters."


def first_keys(schema: Json) -> Found:
    """O45"""
    for path, node in nodes(schema):
        branches = node.get("anyOf") if _is_list(node.get("anyOf")) else []
        firsts = [next(iter(b["properties"])) for b in branches or () if b.get("properties")]
        if len(firsts) != len(set(firsts)):
            yield (
                f"In context={path!r}, objects provided via 'anyOf' must not share identical "
                "first keys."
            )


OPENAI_STRICT: dict[str, Callable[[Json], Found]] = {
    "O38": root,
    "O36": closed,
    "O37": all_required,
    "O39": keywords,
    "O41": references,
    "O43": lengths,
    "O44": sizes,
    "O45": first_keys,
}

# --- Claude: https://platform.claude.com/docs/en/build-with-claude/structured-outputs

_BOUNDS = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength",
    "maxLength", "maxItems", "uniqueItems", "minProperties", "maxProperties", "not",
)  # fmt: skip
_CLAUDE_FORMATS = {*_FORMATS, "uri"}


def _kind(node: Json) -> str:
    return str(node.get("type", "any"))


def claude_closed(schema: Json) -> Found:
    """A36"""
    for _, node in nodes(schema):
        if _is_object(node) and node.get("additionalProperties") is not False:
            yield "For 'object' type, 'additionalProperties' must be explicitly set to false"


def claude_bounds(schema: Json) -> Found:
    """A37"""
    for _, node in nodes(schema):
        if node.get("minItems", 0) not in (0, 1):
            yield "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
        for name in _BOUNDS:
            if name in node:
                yield f"For '{_kind(node)}' type, property '{name}' is not supported"


def claude_kinds(schema: Json) -> Found:
    """A38"""
    for path, node in nodes(schema):
        ref = node.get("$ref")
        if "oneOf" in node:
            yield "Schema type 'oneOf' is not supported"
        if ref is not None and not str(ref).startswith("#/"):
            yield f"External schema reference '{ref}' is not supported"
        known = {"type", "enum", "const", "anyOf", "allOf", "oneOf", "$ref"}
        if not node.keys() & known and path[-1:] != ("additionalProperties",):
            yield "Schema must have a 'type', 'anyOf', 'enum', 'const' or '$ref'"
    if _is_recursive(schema):
        yield "Recursive schemas are not supported"


def _is_recursive(schema: Json) -> bool:
    definitions = {
        f"#/{name}/{key}": child
        for name in ("$defs", "definitions")
        for key, child in _items(schema.get(name))
    }

    def reaches(ref: str, seen: frozenset[str]) -> bool:
        if ref in seen or ref == "#":
            return True
        inner = [str(node["$ref"]) for _, node in nodes(definitions.get(ref)) if "$ref" in node]
        return any(reaches(one, seen | {ref}) for one in inner)

    refs = [str(node["$ref"]) for _, node in nodes(schema) if "$ref" in node]
    return any(reaches(ref, frozenset()) for ref in refs)


def claude_formats(schema: Json) -> Found:
    """A39"""
    for _, node in nodes(schema):
        if node.get("format") is not None and node["format"] not in _CLAUDE_FORMATS:
            yield f"For 'string' type, format '{node['format']}' is not supported"


CLAUDE_STRICT: dict[str, Callable[[Json], Found]] = {
    "A36": claude_closed,
    "A37": claude_bounds,
    "A38": claude_kinds,
    "A39": claude_formats,
}


def optional_properties(schema: Json) -> int:
    return sum(
        len(set(node.get("properties") or ()) - set(node.get("required") or ()))
        for _, node in nodes(schema)
    )


def unions(schema: Json) -> int:
    return sum("anyOf" in node or _is_list(node.get("type")) for _, node in nodes(schema))


def bedrock_bounds(schema: Json) -> Found:
    """B9; minLength and maxLength are taken here."""
    refused = (*_BOUNDS[:5], "maxItems", "contains")
    for _, node in nodes(schema):
        if node.get("minItems", 0) not in (0, 1):
            yield "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
        for name in refused:
            if name in node:
                yield f"For '{_kind(node)}' type, property '{name}' is not supported"
        pattern = str(node.get("pattern", ""))
        if _LOOKAROUND.search(pattern) or _BACK_REFERENCE.search(pattern):
            yield "For 'string' type, this 'pattern' is not supported"
