"""Anthropic's tools and schemas: A30 to A40."""

import re

from tests.strict_upstream.claude import BOOK, Refusals, config_of
from tests.strict_upstream.rules import Json, Refusal, Request
from tests.strict_upstream.schemas import CLAUDE_STRICT, nodes, optional_properties, unions


@BOOK.refuses("A30")
def two_of_one_name(r: Request) -> Refusals:
    names = [tool.get("name") for tool in r.tools]
    if len(names) != len(set(names)):
        yield Refusal("tools: Tool names must be unique.")


@BOOK.refuses("A33")
def no_schema(r: Request) -> Refusals:
    for i, tool in enumerate(r.tools):
        schema, where = tool.get("input_schema"), f"tools.{i}.custom.input_schema"
        if not isinstance(schema, dict):
            yield Refusal(f"{where}: Field required")
        elif schema.get("type") != "object":
            yield Refusal(f"{where}.type: Input should be 'object'")
        elif schema.get("properties", {}) is None:
            yield Refusal(f"{where}.properties: Input should be a valid dictionary")


@BOOK.refuses("A34")
def union_at_the_top(r: Request) -> Refusals:
    for i, tool in enumerate(r.tools):
        if tool["input_schema"].keys() & {"oneOf", "allOf", "anyOf"}:
            yield Refusal(
                f"tools.{i}.custom.input_schema: input_schema does not support oneOf, allOf, or "
                "anyOf at the top level"
            )


_PROPERTY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")


@BOOK.refuses("A35")
def property_names(r: Request) -> Refusals:
    for i, tool in enumerate(r.tools):
        for _, node in nodes(tool["input_schema"]):
            for name in node.get("properties") or ():
                if not _PROPERTY.fullmatch(name):
                    yield Refusal(
                        f"tools.{i}.custom.input_schema.properties: Property keys should match "
                        "pattern '^[a-zA-Z0-9_.-]{1,64}$'"
                    )


def kept_schemas(r: Request) -> list[tuple[str, Json]]:
    """The schemas that are to be kept to the letter, with their paths."""
    found = [
        (f"tools.{i}.custom", tool["input_schema"])
        for i, tool in enumerate(r.tools)
        if tool.get("strict")
    ]
    wanted = config_of(r).get("format") or {}
    if wanted.get("type") == "json_schema":
        found.append(("output_config.format.schema", wanted.get("schema") or {}))
    return found


def _strict(rule_id: str) -> None:
    check = CLAUDE_STRICT[rule_id]

    @BOOK.refuses(rule_id)
    def predicate(r: Request) -> Refusals:
        for where, schema in kept_schemas(r):
            for found in check(schema):
                yield Refusal(f"{where}: {found}")


for _id in CLAUDE_STRICT:
    _strict(_id)


@BOOK.refuses("A40")
def too_complex(r: Request) -> Refusals:
    kept = [schema for _, schema in kept_schemas(r)]
    if (
        sum(bool(tool.get("strict")) for tool in r.tools) > 20
        or sum(map(optional_properties, kept)) > 24
        or sum(map(unions, kept)) > 16
    ):
        yield Refusal(
            "The compiled grammar is too large, which would cause performance issues. Simplify "
            "your tool schemas or reduce the number of strict tools."
        )
