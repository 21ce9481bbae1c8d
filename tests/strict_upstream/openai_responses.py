"""OpenAI's Responses API, as an upstream that stores nothing: R1 to R24."""

import re
from collections.abc import Iterator
from typing import Any

from tests.strict_upstream.openai_chat import unsupported, unsupported_value
from tests.strict_upstream.openai_models import OpenAIModel, openai_model
from tests.strict_upstream.rules import Json, Refusal, Request, Rulebook, texts, tokens
from tests.strict_upstream.schemas import OPENAI_STRICT
from tests.strict_upstream.signatures import is_ours

BOOK = Rulebook()
Refusals = Iterator[Refusal]

_FIELDS = {
    "background", "conversation", "include", "input", "instructions", "max_output_tokens",
    "max_tool_calls", "metadata", "model", "moderation", "parallel_tool_calls",
    "previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_options",
    "prompt_cache_retention", "reasoning", "safety_identifier", "service_tier", "store", "stream",
    "stream_options", "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p",
    "truncation", "user",
}  # fmt: skip
_INCLUDES = {
    "file_search_call.results", "web_search_call.results", "web_search_call.action.sources",
    "message.input_image.image_url", "computer_call_output.output.image_url",
    "code_interpreter_call.outputs", "reasoning.encrypted_content", "message.output_text.logprobs",
}  # fmt: skip


def _model(r: Request) -> OpenAIModel:
    model = openai_model(r.model)
    assert model is not None  # R16 comes first
    return model


def _reasoning(r: Request) -> Json:
    return r.body.get("reasoning") or {}


def items(r: Request) -> list[Json]:
    given = r.body.get("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    return [{"type": "message", **item} for item in given or () if isinstance(item, dict)]


def _format(r: Request) -> Json:
    return (r.body.get("text") or {}).get("format") or {}


@BOOK.refuses("R16")
def model_and_effort(r: Request) -> Refusals:
    model, effort = openai_model(r.model), _reasoning(r).get("effort")
    if model is None:
        yield Refusal(f"The model `{r.model}` does not exist.", None, "model_not_found", 404)
        return
    if "reasoning" in r.body and model.generation == "4":
        yield unsupported("reasoning", r)
    elif effort is not None and effort not in model.efforts:
        yield unsupported_value("reasoning.effort", r)
    for name in ("temperature", "top_p", "top_logprobs"):
        if model.reasons(effort) and r.body.get(name) not in (None, 1):
            yield unsupported(name, r)
    if model.reasons(effort) and "message.output_text.logprobs" in (r.body.get("include") or ()):
        yield unsupported("include", r)


@BOOK.refuses("R14")
def fields_of_chat(r: Request) -> Refusals:
    for name in sorted(r.body.keys() - _FIELDS):
        yield Refusal(f"Unknown parameter: '{name}'.", name, "unknown_parameter")


@BOOK.refuses("R15")
def small_limit(r: Request) -> Refusals:
    limit = r.body.get("max_output_tokens")
    if limit is not None and limit < 16:
        yield Refusal(
            "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but "
            f"got {limit} instead.",
            "max_output_tokens",
            "integer_below_min_value",
        )


@BOOK.refuses("R18")
def previous_response(r: Request) -> Refusals:
    previous = r.body.get("previous_response_id")
    if previous is not None and r.body.get("conversation") is not None:
        message = "Only one of 'previous_response_id' and 'conversation' can be given."
        yield Refusal(message, "previous_response_id")
    elif previous is not None and not str(previous).startswith("resp"):
        message = "Invalid 'previous_response_id': Expected an ID that begins with 'resp'."
        yield Refusal(message, "previous_response_id", "invalid_value")


@BOOK.refuses("R6")
def includes(r: Request) -> Refusals:
    for name in r.body.get("include") or ():
        if name not in _INCLUDES:
            yield Refusal(f"Invalid value: '{name}'.", "include", "invalid_value")
        if name == "reasoning.encrypted_content" and not _model(r).reasons(
            _reasoning(r).get("effort")
        ):
            yield Refusal("Encrypted content is not supported with this model.", "include")


@BOOK.refuses("R24")
def reasoning_options(r: Request) -> Refusals:
    generation = _model(r).generation
    newer = ("5.4", "5.5", "5.6", "6", "6.1")
    if _reasoning(r).get("context") == "all_turns" and generation not in newer:
        yield unsupported_value("reasoning.context", r)
    if _reasoning(r).get("mode") is not None and generation not in newer[2:]:
        yield unsupported_value("reasoning.mode", r)


@BOOK.refuses("R10")
def nothing_to_answer(r: Request) -> Refusals:
    if not items(r) and not r.body.get("previous_response_id"):
        yield Refusal("One of 'input' or 'previous_response_id' must be provided.", "input")
    calls = {i["call_id"] for i in items(r) if i["type"] == "function_call"}
    outputs = {i["call_id"] for i in items(r) if i["type"] == "function_call_output"}
    if calls - outputs:
        yield Refusal(f"No tool output found for function call {min(calls - outputs)}.", "input")
    if outputs - calls:
        found = f"No tool call found for function call output with call_id {min(outputs - calls)}."
        yield Refusal(found, "input")


@BOOK.refuses("R9")
def bounds_of_items(r: Request) -> Refusals:
    for i, item in enumerate(items(r)):
        if "call_id" in item and not 1 <= len(str(item["call_id"])) <= 64:
            where = f"input[{i}].call_id"
            yield Refusal(f"Invalid '{where}': string too long.", where, "string_above_max_length")
        if len(str(item.get("output", ""))) > 10_485_760:
            where = f"input[{i}].output"
            yield Refusal(f"Invalid '{where}': string too long.", where, "string_above_max_length")
        if item["type"] == "function_call":
            yield from _name(str(item.get("name")), f"input[{i}].name")
    for i, tool in enumerate(r.tools):
        if tool.get("name") is not None:
            yield from _name(str(tool["name"]), f"tools[{i}].name")


def _name(name: str, where: str) -> Refusals:
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", name):
        message = f"Invalid '{where}': string does not match pattern '^[a-zA-Z0-9_-]+$'."
        yield Refusal(message, where, "invalid_value")


@BOOK.refuses("R4")
def items_not_kept(r: Request) -> Refusals:
    for item in items(r):
        by_id = item["type"] == "item_reference" or item.keys() <= {"type", "id"}
        thought = item["type"] == "reasoning" and not item.get("encrypted_content")
        if r.body.get("store") is False and (by_id or thought):
            yield Refusal(
                f"Item with id '{item.get('id')}' not found. Items are not persisted when `store` "
                "is set to false. Try again with `store` set to true, or remove this item from "
                "your input.",
                "input",
                status=404,
            )


@BOOK.refuses("R5")
def foreign_encryption(r: Request) -> Refusals:
    for item in items(r):
        content = item.get("encrypted_content")
        if content is not None and not is_ours(str(content), r.model):
            message = "The encrypted content could not be verified."
            yield Refusal(message, "input", "invalid_encrypted_content")


@BOOK.refuses("R1")
def reasoning_alone(r: Request) -> Refusals:
    for item, following in _pairs(items(r)):
        follows = following is not None and (
            following["type"] in ("function_call", "reasoning")
            or following.get("role") == "assistant"
        )
        if item["type"] == "reasoning" and item.get("id") and not follows:
            yield Refusal(
                f"Item '{item['id']}' of type 'reasoning' was provided without its required "
                "following item.",
                "input",
            )


@BOOK.refuses("R2")
def item_without_its_reasoning(r: Request) -> Refusals:
    thought = False
    for item in items(r):
        kind = item["type"]
        if kind == "reasoning":
            thought = True
        elif kind == "function_call_output" or item.get("role") in ("user", "system", "developer"):
            thought = False
        elif item.get("id") and not thought and _model(r).efforts:
            yield Refusal(
                f"Item '{item['id']}' of type '{kind}' was provided without its required "
                "'reasoning' item.",
                "input",
            )


def _pairs(found: list[Json]) -> Iterator[tuple[Json, Json | None]]:
    return zip(found, [*found[1:], None], strict=True)


@BOOK.refuses("R11")
def tools_of_chat(r: Request) -> Refusals:
    for i, tool in enumerate(r.tools):
        if tool.get("type") == "function" and "name" not in tool:
            where = f"tools[{i}].name"
            message = f"Missing required parameter: '{where}'."
            yield Refusal(message, where, "missing_required_parameter")


@BOOK.refuses("R22")
def choice_of_no_tool(r: Request) -> Refusals:
    choice = r.body.get("tool_choice")
    name = choice.get("name") if isinstance(choice, dict) else None
    if name is not None and name not in {tool.get("name") for tool in r.tools}:
        yield Refusal(f"Tool choice '{name}' not found in 'tools' parameter.", "tool_choice")


@BOOK.refuses("R20")
def json_unspoken(r: Request) -> Refusals:
    said = " ".join(text for item in items(r) for text in texts(item.get("content")))
    if _format(r).get("type") == "json_object" and "json" not in said.lower():
        yield Refusal(
            "Response input messages must contain the word 'json' in some form to use "
            "'text.format' of type 'json_object'.",
            "input",
        )


@BOOK.refuses("R21")
def strict_schemas(r: Request) -> Refusals:
    wanted = _format(r)
    if wanted.get("type") == "json_schema" and not {"name", "schema"} <= wanted.keys():
        where = "text.format.name"
        message = f"Missing required parameter: '{where}'."
        yield Refusal(message, where, "missing_required_parameter")
    kept: list[tuple[str, Any]] = [
        (f"tools[{i}].parameters", tool.get("parameters"))
        for i, tool in enumerate(r.tools)
        if tool.get("strict")
    ]
    if wanted.get("strict"):
        kept.append(("text.format.schema", wanted.get("schema")))
    for where, schema in kept:
        for check in OPENAI_STRICT.values():
            for found in check(schema or {"type": "object"}):
                yield Refusal(f"Invalid schema: {found}", where, "invalid_json_schema")


@BOOK.refuses("R19")
def over_the_window(r: Request) -> Refusals:
    prompt = tokens([r.body.get("input"), r.body.get("instructions")])
    if r.body.get("truncation") != "auto" and prompt > _model(r).row["window"]:
        yield Refusal(
            "Your input exceeds the context window of this model. Please adjust your input and try "
            "again.",
            "input",
            "context_length_exceeded",
        )
