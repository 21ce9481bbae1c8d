"""What the double says: the same small answer for every format, before it is put in one."""

import json
import re
from dataclasses import dataclass, field, replace
from typing import Any

from tests.strict_upstream.rules import Json


@dataclass(frozen=True)
class Wish:
    """What a request asks for, in no format's words."""

    #: What the latest user turn says.
    latest: str
    tools: dict[str, Json] = field(default_factory=dict)
    #: auto, none, required, or the name of a tool.
    choice: str = "auto"
    parallel: bool = True
    #: The schema of the answer; an empty one for any JSON object.
    schema: Json | None = None
    limit: int | None = None
    reasoning_tokens: int = 0
    prompt_tokens: int = 1
    n: int = 1


@dataclass(frozen=True)
class Answer:
    text: str
    calls: tuple[tuple[str, Json], ...] = ()
    thought: str = ""
    cut: bool = False
    prompt_tokens: int = 1
    output_tokens: int = 1
    reasoning_tokens: int = 0
    n: int = 1

    def halves(self, text: str) -> list[str]:
        """As a stream has it: in two pieces, none of them empty."""
        middle = (len(text) + 1) // 2
        return [piece for piece in (text[:middle], text[middle:]) if piece]


#: What a user may say in words, and a model that is able to does.
_CALL_ANY = re.compile(r"call (at least )?one of your tools", re.I)
_BY_SCHEMA = re.compile(r"matches this JSON Schema, .*?(\{.*\})", re.S)


def _with_instructions(wish: Wish) -> Wish:
    """The wish with what is said in words instead of parameters."""
    if wish.choice == "auto" and wish.tools and _CALL_ANY.search(wish.latest):
        wish = replace(wish, choice="required")
    if not wish.schema and (found := _BY_SCHEMA.search(wish.latest)):
        wish = replace(wish, schema=json.loads(found[1]))
    return wish


def answer_to(wish: Wish) -> Answer:
    wish = _with_instructions(wish)
    calls = _calls(wish)
    text = "" if calls else "It is well."
    if wish.schema is not None and not calls:
        text = json.dumps(example(wish.schema, wish.schema) if wish.schema else {"answer": "well"})
    spent = wish.reasoning_tokens
    cut = wish.limit is not None and spent + 4 > wish.limit
    if cut:
        spent = min(spent, wish.limit or 0)
        text = "" if spent == wish.limit else text[:4]
    return Answer(
        text,
        () if cut else calls,
        "The caller asks; I answer." if wish.reasoning_tokens else "",
        cut,
        wish.prompt_tokens,
        spent + 1 + len(text) // 4 + 8 * len(calls),
        spent,
        wish.n,
    )


def _calls(wish: Wish) -> tuple[tuple[str, Json], ...]:
    """A tool that is forced, or that the latest user turn names; two where it says `both`."""
    if not wish.tools or wish.choice == "none":
        return ()
    names = list(wish.tools)
    if wish.choice in wish.tools:
        chosen = [wish.choice]
    elif wish.choice == "required":
        chosen = names[:1]
    else:
        chosen = [name for name in names if name in wish.latest][:1]
    if chosen and wish.parallel and "both" in wish.latest:
        chosen *= 2
    return tuple((name, example(wish.tools[name], wish.tools[name])) for name in chosen)


def example(schema: Any, root: Json, depth: int = 0) -> Any:
    """A value for a schema: the least that holds."""
    if not isinstance(schema, dict) or depth > 12:
        return None
    schema = _with_bounds(schema)
    if "$ref" in schema:
        found: Any = root
        for name in [part for part in str(schema["$ref"]).removeprefix("#").split("/") if part]:
            found = found[name]
        return example(found, root, depth + 1)
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    if schema.get("enum"):
        return schema["enum"][0]
    for name in ("anyOf", "oneOf", "allOf"):
        if schema.get(name):
            return example(schema[name][-1], root, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    return _of_kind(kind[0] if isinstance(kind, list) else kind, schema, root, depth)


def _with_bounds(schema: Json) -> Json:
    """With what the description says of bounds: models mostly follow it."""
    found = re.search(r"\{([^{}]*)\}$", str(schema.get("description", "")))
    bounds = re.findall(r"(\w+): (\d+)", found[1]) if found else []
    return {**schema, **{name: int(value) for name, value in bounds}}


def _of_kind(kind: str, schema: Json, root: Json, depth: int) -> Any:
    if kind == "object":
        names = schema.get("required", list(schema.get("properties", {})))
        properties = schema.get("properties", {})
        return {n: example(properties.get(n, {}), root, depth + 1) for n in names}
    if kind == "array":
        count = max(1, schema.get("minItems", 1)) if depth < 6 else 0
        return [example(schema.get("items", {}), root, depth + 1) for _ in range(count)]
    if kind == "string":
        return "text".ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength", 100)]
    numbers = {"integer": int(schema.get("minimum", 1)), "number": schema.get("minimum", 1.5)}
    return {**numbers, "boolean": True, "null": None}[kind]
