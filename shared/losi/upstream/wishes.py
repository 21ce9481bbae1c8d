"""Parameters that a route refuses are asked for in words, and the answer is checked.

The words go into the latest user turn. In the system prompt or the list of tools they would
invalidate prompt caches, and the thinking that depends on them. Pure except for the exchange.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from losi.errors import Remedy, UpstreamError, echo
from losi.json_schema.limits import Budget, SchemaError
from losi.json_schema.validation import Document
from losi.upstream import fanout, functions, stops, thoughts
from losi.upstream.batch import Batch, each
from losi.upstream.claude_schema import format_instruction
from losi.upstream.conversation import answer_schema, with_instruction
from losi.upstream.fences import Unfenced
from losi.upstream.format import Exchange, Format, Prepare, UpstreamCall
from losi.upstream.text_limit import LimitedText

if TYPE_CHECKING:
    from losi.wire import JsonSchema
    from losi.wire.chat import AnswerMessage, Completion, Delta, Request, ResponseFormat, ToolChoice

#: A route that refuses these can still be chosen, because they are asked for in words.
IN_WORDS = frozenset({"forced_tools", "schema_with_tools", "schema_in_streams"})
#: An answer that was cut off or filtered is not checked.
_CUT = ("length", "content_filter")


class UnmetWishError(UpstreamError):
    """The answer does not meet a mapped parameter. It is billed nevertheless."""

    def __init__(self, message: str, code: str) -> None:
        headers = {"x-should-retry": "false"}  # SDKs would pay for two more answers, twice
        super().__init__(message, code=code, remedy=Remedy.ASK_AGAIN, headers=headers)


@dataclass(slots=True)
class Call:
    """A call of a tool, with its arguments in pieces as they came."""

    name: str = ""
    arguments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ChoiceContent:
    """What one choice has said so far."""

    text: str = ""
    called: set[str] = field(default_factory=set)
    calls: dict[int, Call] = field(default_factory=dict)
    refused: bool = False

    def add(self, part: AnswerMessage | Delta) -> None:
        """Add a message, or the delta of a chunk."""
        if isinstance(text := part.get("content"), str):
            self.text += text
        self.refused |= bool(part.get("refusal"))
        calls = [call.get("function") for call in part.get("tool_calls") or ()]
        functions = [*calls, part.get("function_call")]
        self.called |= {f["name"] for f in functions if f and f.get("name")}
        for place, call in enumerate(part.get("tool_calls") or ()):
            one = self.calls.setdefault(call.get("index", place), Call())
            if function := call.get("function"):
                one.name = function.get("name") or one.name
                one.arguments.append(function.get("arguments") or "")


Check = Callable[[ChoiceContent], UnmetWishError | None]


@dataclass(frozen=True, slots=True)
class CheckedExchange:
    """An exchange, the parameters that are asked for in words, and the checks of its answer."""

    exchange: Exchange
    in_words: frozenset[str]
    checks: tuple[Check, ...]

    @property
    def mapped(self) -> frozenset[str]:
        """Complete only once the upstream has answered."""
        return self.in_words | self.exchange.mapped

    def unmet(self, answer: Completion) -> UnmetWishError | None:
        """The first wish that a completion does not meet."""
        for choice in answer["choices"] if self.checks else ():
            content = ChoiceContent()
            content.add(choice["message"])
            if error := self._unmet(content, choice.get("finish_reason")):
                return error
        return None

    def stream(self) -> AsyncGenerator[Batch]:
        """The chunks. A choice that does not meet a wish is not finished: after the usage, the
        stream raises UnmetWishError.
        """
        return self._checked() if self.checks else self.exchange.stream()

    async def _checked(self) -> AsyncGenerator[Batch]:
        content: dict[int, ChoiceContent] = {}
        unmet: UnmetWishError | None = None
        async with aclosing(self.exchange.stream()) as batches:
            async for batch in batches:
                chunks = [*each(batch)]
                for choice in (choice for chunk in chunks for choice in chunk["choices"]):
                    one = content.setdefault(choice.get("index", 0), ChoiceContent())
                    one.add(choice.get("delta") or {})
                    reason = choice.get("finish_reason")
                    if reason and (error := self._unmet(one, reason)):
                        unmet, choice["finish_reason"] = error, None
                yield chunks
        if unmet is not None:
            raise unmet

    def _unmet(self, content: ChoiceContent, finish_reason: str | None) -> UnmetWishError | None:
        if finish_reason in _CUT or content.refused:
            return None
        return next((error for check in self.checks if (error := check(content))), None)


def prepare(
    upstream: Format,
    call: UpstreamCall,
    sleep: fanout.Sleep = asyncio.sleep,
    *,
    stream: bool = False,
) -> CheckedExchange:
    """The exchange for a call, with the checks of what it asks for in words."""
    wanted: ResponseFormat = call.body.get("response_format") or {"type": "text"}
    checks: list[Check] = []
    in_words = set[str]()
    refused = call.route.refuses | call.route.provider.refuses
    if "forced_tools" in refused and (forced := _forced(call.body)) is not None:
        call = replace(call, body=forced.asked_in_words(call.body))
        in_words.add(forced.param)
        checks.append(forced.unmet)
    if wanted.get("type") == "json_schema" and refused & _with_schemas(call.body, stream=stream):
        call = replace(call, body=_schema_in_words(call.body))
        in_words.add("response_format")
    exchange = _around(upstream, call, sleep)
    if call.most_text is not None:
        exchange = LimitedText(exchange, call.most_text)
    if "response_format" in exchange.mapped | in_words:
        exchange = Unfenced(exchange)
        checks.append(_schema_check(wanted))
    if "tools" in exchange.mapped:
        checks.append(_arguments_check(call.body))
    return CheckedExchange(exchange, frozenset(in_words), tuple(checks))


def _around(upstream: Format, call: UpstreamCall, sleep: fanout.Sleep) -> Exchange:
    """The upstream's exchange, and around it what the call asks for and not every provider does."""
    body, messages = call.body, call.body["messages"]
    prepare: Prepare = upstream.prepare
    if "n" in body and not call.route.provider.native_n:
        prepare = partial(fanout.prepare, prepare, sleep=sleep)
    called = any("function_call" in one or one["role"] == "function" for one in messages)
    if called or body.get("functions"):
        prepare = partial(functions.prepare, prepare)
    if body.get("stop"):
        prepare = partial(stops.prepare, prepare)
    if any(message.get("thinking_blocks") for message in messages):
        prepare = partial(thoughts.prepare, prepare)
    return prepare(call)


@dataclass(frozen=True, slots=True)
class _Forced:
    """The caller requires a call of one of these tools."""

    param: Literal["tool_choice", "function_call"]
    #: What is sent in its place.
    choice: str | ToolChoice
    names: frozenset[str]
    named: bool

    def asked_in_words(self, body: Request) -> Request:
        words = (
            f"Call the tool `{min(self.names)}` now, and no other tool. Do not answer with text."
            if self.named
            else "Call at least one of your tools now. Do not answer with text."
        )
        messages = with_instruction(body["messages"], words)
        asked: Request = {**body, "messages": messages}
        asked[self.param] = self.choice
        return asked

    def unmet(self, content: ChoiceContent) -> UnmetWishError | None:
        if content.called & self.names:
            return None
        return UnmetWishError(
            f"The model did not call a tool, as '{self.param}' demands. It can only be asked to: "
            "say in your message what the tool is to be called for, or use another model.",
            code="tool_not_called",
        )


def _forced(body: Request) -> _Forced | None:
    choice, names = body.get("tool_choice"), frozenset(_names(body))
    if body.get("tools"):
        if choice == "required":
            return _Forced("tool_choice", "auto", names, named=False)
        if not isinstance(choice, dict):
            return None
        if choice.get("type") == "function":
            wanted = frozenset({choice["function"]["name"]})
            return _Forced("tool_choice", "auto", wanted, named=True)
        allowed = choice.get("allowed_tools")
        if isinstance(allowed, dict) and allowed.get("mode") == "required":
            choice = {**choice, "allowed_tools": {**allowed, "mode": "auto"}}
            return _Forced("tool_choice", choice, names, named=False)
        return None
    legacy = body.get("function_call")
    if body.get("functions") and isinstance(legacy, dict) and legacy.get("name"):
        return _Forced("function_call", "auto", frozenset({legacy["name"]}), named=True)
    return None


def _names(body: Request) -> Iterator[str]:
    for tool in body.get("tools") or ():
        match tool.get("function") or tool.get("custom"):
            case {"name": str(name)}:
                yield name


def _with_schemas(body: Request, *, stream: bool) -> set[str]:
    """The names in `refuses` for what the request combines with a schema of the answer."""
    asked = {"schema_in_streams": stream, "schema_with_tools": bool(body.get("tools"))}
    return {name for name, is_asked in asked.items() if is_asked}


def _schema_in_words(body: Request) -> Request:
    words = format_instruction(body.get("response_format"), native=False)
    messages = with_instruction(body["messages"], words or "")
    rest: Request = {**body, "messages": messages}
    rest.pop("response_format", None)
    return rest


def _schema_check(response_format: ResponseFormat) -> Check:
    schema = answer_schema(response_format)

    def check(content: ChoiceContent) -> UnmetWishError | None:
        if content.called or _is_valid(content.text, schema):
            return None
        return UnmetWishError(
            "The model did not answer with JSON that is valid by 'response_format'. It keeps to a "
            "part of JSON Schema only: simplify the schema, or use another model.",
            code="schema_not_met",
        )

    return check


def _arguments_check(body: Request) -> Check:
    """Check arguments by the schemas of strict tools, which the upstream enforces only in part."""
    functions = [tool.get("function") for tool in body.get("tools") or ()]
    schemas = {f["name"]: f.get("parameters") or {} for f in functions if f and f.get("strict")}

    def check(content: ChoiceContent) -> UnmetWishError | None:
        for call in content.calls.values():
            schema = schemas.get(call.name)
            if schema and not _is_valid("".join(call.arguments) or "{}", schema):
                return UnmetWishError(
                    f"The model called '{echo(call.name)}' with arguments that are not valid by "
                    "its 'parameters', though it is strict. It keeps to a part of JSON Schema "
                    "only: simplify the schema, or use another model.",
                    code="schema_not_met",
                )
        return None

    return check


def _is_valid(text: str, schema: JsonSchema) -> bool:
    """Whether a text is JSON by a schema. A text that cannot be judged counts as valid."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    try:
        return Document(schema, Budget()).accepts(schema, value)
    except (SchemaError, RecursionError):
        return True
