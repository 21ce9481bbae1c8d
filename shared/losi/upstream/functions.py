"""Sends `functions`, OpenAI's older form of tools, as tools if the upstream supports only these,
and returns the answer as `function_call`. Pure except for the exchange that it wraps.

https://platform.openai.com/docs/api-reference/chat/create#chat-create-functions
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from losi.catalogue.providers import Provider
from losi.errors import InvalidRequestError
from losi.upstream.batch import Batch, each
from losi.upstream.conversation import invalid
from losi.upstream.format import Around, Exchange, Prepare, UpstreamCall

if TYPE_CHECKING:
    from losi.wire.chat import (
        CalledFunction,
        Choice,
        Chunk,
        ChunkChoice,
        Completion,
        Delta,
        FunctionDefinition,
        GivenCall,
        Message,
        Request,
        Tool,
    )

#: Parameter that is sent upstream -> the caller's parameter.
_NAMES = {"tools": "functions", "tool_choice": "function_call"}


def prepare(inner: Prepare, call: UpstreamCall) -> Exchange:
    """The exchange for a call with functions: it has tools instead if the provider accepts only
    those.
    """
    if takes_functions(call.route.provider):
        return inner(call)
    call = replace(call, body={**call.body, "messages": _messages(call.body["messages"])})
    if not call.body.get("functions") or call.body.get("tools"):
        return inner(call)
    with _in_the_callers_words():
        exchange = inner(replace(call, body=_with_tools(call.body)))
    return AsFunctions(exchange)


def takes_functions(provider: Provider) -> bool:
    if provider.format == "openai":
        return provider.parameters is None or "functions" in provider.parameters
    return provider.format == "sandbox"


def _with_tools(body: Request) -> Request:
    functions = body.get("functions")
    if not isinstance(functions, list):
        invalid("functions", "Use an array of functions, or 'tools'.")
    tools = [_tool(at, function) for at, function in enumerate(functions)]
    out: Request = {**body, "tools": tools, "parallel_tool_calls": False}
    del out["functions"]
    match out.pop("function_call", None):
        case None:
            pass
        case "none" | "auto" as choice:
            out["tool_choice"] = choice
        case {"name": str(name)}:
            out["tool_choice"] = {"type": "function", "function": {"name": name}}
        case _:
            invalid("function_call", "Use 'none', 'auto' or {'name': '...'}.")
    return out


def _tool(at: int, function: object) -> Tool:
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        invalid(f"functions[{at}]", "A function needs a 'name'.")
    definition: FunctionDefinition = cast("FunctionDefinition", function)  # it has a name
    return {"type": "function", "function": definition}


def _messages(messages: list[Message]) -> list[Message]:
    """Function calls and results as calls and results of tools."""
    converted: list[Message] = []
    call_id = ""
    for position, message in enumerate(messages):
        if message["role"] == "assistant" and (function := message.get("function_call")):
            match function:
                case {"name": str(name), "arguments": str(arguments)}:
                    call_id = f"function_{position}"
                case _:
                    where = f"messages[{position}].function_call"
                    invalid(where, "A function call needs a 'name' and 'arguments'.")
            called: CalledFunction = {"name": name, "arguments": arguments}
            call: GivenCall = {"id": call_id, "type": "function", "function": called}
            message = {**message, "tool_calls": [call]}
            del message["function_call"]
        elif message["role"] == "function":
            content = message.get("content") or ""
            message = {"role": "tool", "tool_call_id": call_id, "content": content}
        converted.append(message)
    return converted


@contextmanager
def _in_the_callers_words() -> Iterator[None]:
    """Name the caller's parameters in refusals."""
    try:
        yield
    except InvalidRequestError as error:
        for ours, theirs in _NAMES.items():
            if error.param and error.param.startswith(ours):
                error.param = error.param.replace(ours, theirs).replace(".function", "", 1)
        raise


class AsFunctions(Around):
    """An exchange whose tool calls are returned as one function call."""

    @property
    def left_out(self) -> frozenset[str]:
        return _renamed(super().left_out)

    @property
    def mapped(self) -> frozenset[str]:
        return _renamed(super().mapped)

    async def complete(self) -> Completion:
        with _in_the_callers_words():
            answer = await self._exchange.complete()
        for choice in answer["choices"]:
            message = choice["message"]
            if calls := message.pop("tool_calls", None):
                message["function_call"] = calls[0]["function"]
            _end(choice)
        return answer

    async def stream(self) -> AsyncGenerator[Batch]:
        with _in_the_callers_words():
            async with aclosing(self._exchange.stream()) as batches:
                async for batch in batches:
                    yield [_chunk(chunk) for chunk in each(batch)]


def _renamed(names: frozenset[str]) -> frozenset[str]:
    return frozenset(_NAMES.get(name, name) for name in names)


def _chunk(chunk: Chunk) -> Chunk:
    for choice in chunk["choices"]:
        delta: Delta = {**choice["delta"]}
        choice["delta"] = delta
        for call in delta.pop("tool_calls", None) or ():
            if call["index"] == 0 and (function := call.get("function")):
                delta["function_call"] = function
        _end(choice)
    return chunk


def _end(choice: Choice | ChunkChoice) -> None:
    if choice.get("finish_reason") == "tool_calls":
        choice["finish_reason"] = "function_call"
