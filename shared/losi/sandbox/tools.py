"""Which tools the sandbox calls, and with what arguments."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from losi.errors import InvalidRequestError, echo
from losi.json_schema.limits import Budget, SchemaError
from losi.json_schema.schema import instance
from losi.sandbox.directives import Directives

if TYPE_CHECKING:
    from losi.wire import JsonObject
    from losi.wire.chat import Kind, Request

_CUSTOM_INPUT = "Input from the Losi sandbox."


@dataclass(frozen=True, slots=True)
class Tool:
    """`definition` is the value of `param`: a `function`, or a `custom` tool."""

    kind: Kind
    name: str
    definition: JsonObject
    param: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`text` is a function's arguments as JSON, or a custom tool's input."""

    id: str
    kind: Kind
    name: str
    text: str


def calls(body: Request, directives: Directives, seed: str, budget: Budget) -> list[ToolCall]:
    """The calls to answer with; none when the answer is text."""
    tools, mandatory = _offered(body)
    answered = _last_role(body) in ("tool", "function")
    if not tools or not (mandatory or not (answered or directives.wants_text)):
        return []
    if directives.call is not None:
        tools = _named([directives.call], tools, "messages")
    alone = body.get("parallel_tool_calls") is False or is_legacy(body)
    chosen = list(islice(cycle(tools), 1 if alone else directives.parallel))
    texts = {
        tool.param: directives.arguments
        if directives.arguments is not None
        else _call_text(tool, budget)
        for tool in chosen
    }
    return [
        ToolCall(_call_id(seed, place), tool.kind, tool.name, texts[tool.param])
        for place, tool in enumerate(chosen)
    ]


def is_legacy(body: Request) -> bool:
    """Whether the caller speaks of `functions`, and expects a `function_call`."""
    return not body.get("tools") and bool(body.get("functions"))


def json_instance(schema: object, param: str, budget: Budget, *, root_type: str | None) -> str:
    try:
        value = instance(schema, budget, root_type=root_type)
    except SchemaError as error:
        raise InvalidRequestError(
            f"The sandbox cannot use the schema in '{param}': {echo(str(error))}.",
            param=param,
            code="invalid_schema",
        ) from error
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _call_text(tool: Tool, budget: Budget) -> str:
    if tool.kind == "custom":
        return _custom_input(tool, budget)
    schema = tool.definition.get("parameters")
    if schema is None:
        return "{}"
    return json_instance(schema, f"{tool.param}.parameters", budget, root_type="object")


def _custom_input(tool: Tool, budget: Budget) -> str:
    form = tool.definition.get("format") or {}
    if not isinstance(form, dict) or form.get("type", "text") == "text":
        return _CUSTOM_INPUT
    param = f"{tool.param}.format"
    grammar = form.get("grammar")
    if not isinstance(grammar, dict) or grammar.get("syntax") != "regex":
        raise InvalidRequestError(
            f"The sandbox cannot follow the grammar in '{param}': it knows only the syntax "
            "'regex'. Say what it shall call the tool with: [[sandbox:arguments=...]].",
            param=param,
            code="invalid_schema",
        )
    pattern = {"type": "string", "pattern": _whole_pattern(grammar.get("definition"))}
    return str(json.loads(json_instance(pattern, param, budget, root_type=None)))


def _whole_pattern(definition: object) -> object:
    return f"^(?:{definition})$" if isinstance(definition, str) else definition


def _offered(body: Request) -> tuple[list[Tool], bool]:
    """The tools that may be called now, and whether one must be."""
    legacy = is_legacy(body)
    tools = _functions(body) if legacy else _tools(body)
    key = "function_call" if legacy else "tool_choice"
    choice = body.get(key) or "auto"
    if choice == "none" or (choice == "auto" and not tools):
        return [], False
    if not tools:
        raise InvalidRequestError(f"'{key}' needs 'tools' to choose from.", param=key)
    if isinstance(choice, str):
        return tools, choice == "required"
    if not isinstance(choice, dict):
        raise _wrong(key)
    if choice.get("type") == "allowed_tools":
        allowed = _object(choice.get("allowed_tools"), key)
        entries = allowed.get("tools")
        if not isinstance(entries, list):
            raise _wrong(key)
        wanted = [_name(_object(entry, key), key) for entry in entries]
        return _named(wanted, tools, key), allowed.get("mode") == "required"
    return _named([_name(choice, key)], tools, key), True


def _tools(body: Request) -> list[Tool]:
    found = []
    for place, entry in enumerate(_array(body.get("tools"), "tools")):
        tool = _object(entry, f"tools[{place}]")
        kind: Kind = "custom" if tool.get("type") == "custom" else "function"
        param = f"tools[{place}].{kind}"
        definition = _object(tool.get(kind), param)
        found.append(Tool(kind, _name(definition, param), definition, param))
    return found


def _functions(body: Request) -> list[Tool]:
    found = []
    for place, entry in enumerate(_array(body.get("functions"), "functions")):
        param = f"functions[{place}]"
        definition = _object(entry, param)
        found.append(Tool("function", _name(definition, param), definition, param))
    return found


def _named(wanted: Sequence[str], tools: list[Tool], param: str) -> list[Tool]:
    by_name = {tool.name: tool for tool in tools}
    for name in wanted:
        if name not in by_name:
            raise InvalidRequestError(
                f"There is no tool '{name[:64]}' to choose. The tools are: "
                f"{', '.join(list(by_name)[:20])}.",
                param=param,
                code="invalid_value",
            )
    return [by_name[name] for name in wanted]


def _name(entry: JsonObject, param: str) -> str:
    """The name in `{"name"}`, or in `{"type": "function", "function": {"name"}}`."""
    inner = entry.get("function") or entry.get("custom") or entry
    name = inner.get("name") if isinstance(inner, dict) else None
    if not isinstance(name, str) or not name:
        raise InvalidRequestError(
            f"Missing required parameter: '{param}.name'.",
            param=f"{param}.name",
            code="missing_required_parameter",
        )
    return name


def _object(value: object, param: str) -> JsonObject:
    if not isinstance(value, dict):
        raise _wrong(param)
    return value


def _array(value: object, param: str) -> list[Any]:
    if not isinstance(value, list | None):
        raise _wrong(param)
    return value or []


def _wrong(param: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"Invalid type for '{param}'. See the API's documentation of tools.",
        param=param,
        code="invalid_type",
    )


def _last_role(body: Request) -> str | None:
    messages = body.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    return last.get("role") if isinstance(last, dict) else None


def _call_id(seed: str, place: int) -> str:
    return f"call_{hashlib.sha256(f'{seed} {place}'.encode()).hexdigest()[:24]}"
