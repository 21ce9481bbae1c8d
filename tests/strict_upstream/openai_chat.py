"""OpenAI's chat completions, by model, parameter and account: O1 to O46 and O81 to O91."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.strict_upstream.openai_models import REASONING_TOKENS, OpenAIModel, openai_model
from tests.strict_upstream.rules import Json, Refusal, Request, Rulebook, texts
from tests.strict_upstream.schemas import OPENAI_STRICT

BOOK = Rulebook()
Refusals = Iterator[Refusal]
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

FIELDS = {
    "audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs",
    "max_completion_tokens", "max_tokens", "messages", "metadata", "modalities", "model",
    "moderation", "n", "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key",
    "prompt_cache_options", "prompt_cache_retention", "reasoning_effort", "response_format",
    "safety_identifier", "seed", "service_tier", "stop", "store", "stream", "stream_options",
    "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity",
    "web_search_options",
}  # fmt: skip


def model_of(r: Request) -> OpenAIModel:
    model = openai_model(r.model)
    assert model is not None  # O22 comes first
    return model


def effort_of(r: Request) -> str | None:
    return r.body.get("reasoning_effort")


def unsupported(name: str, r: Request) -> Refusal:
    return Refusal(
        f"Unsupported parameter: '{name}' is not supported with this model.",
        name,
        "unsupported_parameter",
    )


def unsupported_value(name: str, r: Request) -> Refusal:
    return Refusal(
        f"Unsupported value: '{name}' does not support {json.dumps(r.body.get(name))} with this "
        "model.",
        name,
        "unsupported_value",
    )


# --- account


@BOOK.refuses("O90")
def rate_or_key(r: Request) -> Refusals:
    if r.account.key and r.headers.get("authorization") != f"Bearer {r.account.key}":
        message = "Incorrect API key provided: sk-*****. You can find your API key in your account."
        yield Refusal(message, None, "invalid_api_key", 401)
    if r.account.rate_limited:
        headers = {"retry-after": "2", "retry-after-ms": "1500", "x-ratelimit-limit-requests": "60"}
        message = f"Rate limit reached for {r.model} on requests per min (RPM). Try again in 2s."
        yield Refusal(message, None, "rate_limit_exceeded", 429, "requests", headers)


@BOOK.refuses("O89")
def no_credit(r: Request) -> Refusals:
    if not r.account.credit:
        message = "You exceeded your current quota, please check your plan and billing details."
        yield Refusal(message, None, "insufficient_quota", 429, "insufficient_quota")


@BOOK.refuses("O22")
def unknown_model(r: Request) -> Refusals:
    if openai_model(r.model) is None:
        message = f"The model `{r.model}` does not exist or you do not have access to it."
        yield Refusal(message, None, "model_not_found", 404)


@BOOK.refuses("O91")
def not_verified(r: Request) -> Refusals:
    if r.body.get("stream") and not r.account.verified and model_of(r).generation != "4":
        message = "Your organization must be verified to stream this model."
        yield Refusal(message, "stream", "unsupported_value")


# --- by model


@BOOK.refuses("O64")
def unknown_field(r: Request) -> Refusals:
    for name in sorted(r.body.keys() - FIELDS):
        yield Refusal(f"Unrecognized request argument supplied: {name}")


@BOOK.refuses("O2")
def both_limits(r: Request) -> Refusals:
    if {"max_tokens", "max_completion_tokens"} <= r.body.keys():
        yield Refusal(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            "max_tokens",
            "invalid_parameter_combination",
        )


@BOOK.refuses("O1")
def older_limit(r: Request) -> Refusals:
    if model_of(r).generation != "4" and "max_tokens" in r.body:
        yield Refusal(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
            "max_tokens",
            "unsupported_parameter",
        )


@BOOK.refuses("O10")
def effort_without_reasoning(r: Request) -> Refusals:
    if model_of(r).generation == "4" and effort_of(r) is not None:
        yield Refusal("Unrecognized request argument supplied: reasoning_effort")


@BOOK.refuses("O8")
def effort_max(r: Request) -> Refusals:
    if effort_of(r) == "max":
        yield unsupported_value("reasoning_effort", r)


@BOOK.refuses("O6")
def no_effort(r: Request) -> Refusals:
    if effort_of(r) in ("none", "minimal") and effort_of(r) not in model_of(r).efforts:
        yield unsupported_value("reasoning_effort", r)


@BOOK.refuses("O9")
def other_effort(r: Request) -> Refusals:
    if effort_of(r) is not None and effort_of(r) not in model_of(r).efforts:
        yield unsupported_value("reasoning_effort", r)


def _tools_while_reasoning(r: Request) -> Refusals:
    if (r.tools or r.body.get("functions")) and model_of(r).reasons(effort_of(r)):
        yield Refusal(
            "Function tools with reasoning_effort are not supported for "
            f"{r.model} in /v1/chat/completions. Please use /v1/responses instead.",
            "reasoning_effort",
        )


@BOOK.refuses("O3")
def tools_while_reasoning(r: Request) -> Refusals:
    if model_of(r).is_newer and not model_of(r).is_gpt_6:
        yield from _tools_while_reasoning(r)


@BOOK.refuses("O4")
def tools_while_gpt_6_reasons(r: Request) -> Refusals:
    if model_of(r).is_gpt_6:
        yield from _tools_while_reasoning(r)


@BOOK.refuses("O11")
def sampling_while_reasoning(r: Request) -> Refusals:
    for name in ("temperature", "top_p"):
        if model_of(r).reasons(effort_of(r)) and r.body.get(name) not in (None, 1):
            yield unsupported_value(name, r)


@BOOK.refuses("O12")
def logprobs_while_reasoning(r: Request) -> Refusals:
    for name in ("logprobs", "top_logprobs"):
        if model_of(r).reasons(effort_of(r)) and r.body.get(name):
            yield unsupported(name, r)


@BOOK.refuses("O15")
def never_from_gpt_5(r: Request) -> Refusals:
    names = ("presence_penalty", "frequency_penalty", "logit_bias", "modalities", "prediction")
    if model_of(r).generation[0] in "56":
        for name in (*names, "audio", "web_search_options"):
            if r.body.get(name):
                yield unsupported(name, r)


@BOOK.refuses("O16")
def stop(r: Request) -> Refusals:
    if model_of(r).generation in ("o", "5", "5.1", "5.2") and r.body.get("stop") is not None:
        yield unsupported("stop", r)


@BOOK.refuses("O17")
def stop_of_later_models(r: Request) -> Refusals:
    if model_of(r).generation in ("5.3", "5.4", "5.5", "5.6", "6", "6.1") and r.body.get("stop"):
        yield unsupported("stop", r)


@BOOK.refuses("O18")
def cache_retention(r: Request) -> Refusals:
    retention = r.body.get("prompt_cache_retention")
    in_memory = model_of(r).generation in ("5.5", "5.6") and retention == "in_memory"
    if retention is not None and (model_of(r).is_gpt_6 or in_memory):
        yield unsupported("prompt_cache_retention", r)
    if (r.body.get("prompt_cache_options") or {}).get("ttl") == "12h":
        yield unsupported_value("prompt_cache_options", r)


# --- tools and schemas


@BOOK.refuses("O30")
def too_many_tools(r: Request) -> Refusals:
    if len(r.tools) > 128:
        yield Refusal(
            "Invalid 'tools': array too long. Expected an array with maximum length 128, but got "
            f"an array with length {len(r.tools)} instead.",
            "tools",
            "array_above_max_length",
        )


@BOOK.refuses("O32")
def no_tools(r: Request) -> Refusals:
    if r.body.get("tools") == []:
        yield Refusal(
            "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an "
            "empty array instead.",
            "tools",
            "empty_array",
        )


@BOOK.refuses("O33")
def choice_without_tools(r: Request) -> Refusals:
    for name in ("tool_choice", "parallel_tool_calls"):
        if name in r.body and not r.tools:
            yield Refusal(f"'{name}' is only allowed when 'tools' are specified.", name)


def _pattern(where: str) -> Refusal:
    return Refusal(
        f"Invalid '{where}': string does not match pattern. Expected a string that matches the "
        "pattern '^[a-zA-Z0-9_-]+$'.",
        where,
        "invalid_value",
    )


@BOOK.refuses("O34")
def names(r: Request) -> Refusals:
    for i, tool in enumerate(r.tools):
        if not NAME.fullmatch(str(tool.get("function", {}).get("name", ""))):
            yield _pattern(f"tools[{i}].function.name")
    for i, message in enumerate(r.messages):
        for j, call in enumerate(message.get("tool_calls") or ()):
            if not NAME.fullmatch(str(call.get("function", {}).get("name", ""))):
                yield _pattern(f"messages[{i}].tool_calls[{j}].function.name")
    wanted = json_schema(r)
    if wanted is not None and not NAME.fullmatch(str(wanted.get("name", ""))):
        yield _pattern("response_format.json_schema.name")
    choice = r.body.get("tool_choice")
    named = choice.get("function", {}).get("name") if isinstance(choice, dict) else None
    if named and named not in {tool["function"]["name"] for tool in r.tools}:
        yield Refusal(f"Tool choice '{named}' not found in 'tools' parameter.", "tool_choice")
    functions = r.body.get("functions")
    if functions is not None and not 1 <= len(functions) <= 128:
        yield Refusal("Invalid 'functions': array of 1 to 128 expected.", "functions")


def json_schema(r: Request) -> Json | None:
    wanted = r.body.get("response_format")
    found = wanted.get("json_schema") if isinstance(wanted, dict) else None
    return found if isinstance(found, dict) else None


def strict_schemas(r: Request) -> Iterator[tuple[str, str, Any]]:
    """The schemas that are asked to be kept to the letter: where, name, schema."""
    for i, tool in enumerate(r.tools):
        function = tool.get("function", {})
        if function.get("strict"):
            yield f"tools[{i}].function.parameters", function["name"], function.get("parameters")
    wanted = json_schema(r)
    if wanted and wanted.get("strict"):
        yield "response_format", str(wanted.get("name")), wanted.get("schema")


def _strict(rule_id: str) -> None:
    check = OPENAI_STRICT[rule_id]

    @BOOK.refuses(rule_id)
    def predicate(r: Request) -> Refusals:
        for where, name, schema in strict_schemas(r):
            for found in check(schema or {"type": "object"}):
                kind = (
                    "schema for response_format" if "response" in where else "schema for function"
                )
                code = (
                    "invalid_json_schema" if "response" in where else "invalid_function_parameters"
                )
                yield Refusal(f"Invalid {kind} '{name}': {found}", where, code)


for _id in OPENAI_STRICT:
    _strict(_id)


@BOOK.refuses("O46")
def json_unspoken(r: Request) -> Refusals:
    said = " ".join(text for m in r.messages for text in texts(m.get("content")))
    wanted = r.body.get("response_format") or {}
    if wanted.get("type") == "json_object" and "json" not in said.lower():
        yield Refusal(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of "
            "type 'json_object'.",
            "messages",
        )


# --- sizes and values


@BOOK.refuses("O81")
def limit_over_the_models(r: Request) -> Refusals:
    name = "max_completion_tokens" if "max_completion_tokens" in r.body else "max_tokens"
    asked, most = r.body.get(name) or 0, model_of(r).row["output"]
    if asked > most:
        yield Refusal(
            f"{name} is too large: {asked}. This model supports at most {most} completion tokens, "
            f"whereas you provided {asked}.",
            name,
            "invalid_value",
        )


_RANGES = {
    "n": (1, 128), "temperature": (0, 2), "top_p": (0, 1), "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2), "top_logprobs": (0, 20),
}  # fmt: skip


@BOOK.refuses("O82")
def ranges(r: Request) -> Refusals:
    for name, (least, most) in _RANGES.items():
        value = r.body.get(name)
        if value is not None and not least <= value <= most:
            yield Refusal(f"Invalid '{name}': expected {least} to {most}.", name, "invalid_value")
    if r.body.get("top_logprobs") is not None and not r.body.get("logprobs"):
        yield Refusal("'top_logprobs' is only allowed with 'logprobs'.", "top_logprobs")
    stops = r.body.get("stop")
    if isinstance(stops, list) and not 1 <= len(stops) <= 4:
        yield Refusal("Invalid 'stop': array of 1 to 4 expected.", "stop")
    if r.body.get("verbosity") not in (None, "low", "medium", "high"):
        yield unsupported_value("verbosity", r)
    if r.body.get("stream_options") is not None and not r.body.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        yield Refusal(message, "stream_options")
    if r.body.get("audio") and "audio" not in (r.body.get("modalities") or ()):
        yield Refusal("'audio' needs 'modalities' with 'audio'.", "audio")


@BOOK.refuses("O86")
def metadata(r: Request) -> Refusals:
    pairs = r.body.get("metadata") or {}
    fits = all(isinstance(v, str) and len(k) <= 64 and len(v) <= 512 for k, v in pairs.items())
    if len(pairs) > 16 or not fits:
        yield Refusal("Invalid 'metadata': at most 16 pairs of 64 and 512 characters.", "metadata")


def _too_long(name: str, value: Any) -> Refusals:
    if isinstance(value, str) and len(value) > 64:
        yield Refusal(
            f"Invalid '{name}': string too long. Expected a string with maximum length 64, but got "
            f"a string with length {len(value)} instead.",
            name,
            "string_above_max_length",
        )


@BOOK.refuses("O87")
def long_safety_identifier(r: Request) -> Refusals:
    yield from _too_long("safety_identifier", r.body.get("safety_identifier"))


@BOOK.refuses("O88")
def long_cache_key(r: Request) -> Refusals:
    yield from _too_long("prompt_cache_key", r.body.get("prompt_cache_key"))


@BOOK.refuses("O83")
def nothing_left_to_say(r: Request) -> Refusals:
    asked = r.body.get("max_completion_tokens")
    if asked is not None and asked <= REASONING_TOKENS[model_of(r).effort(effort_of(r))]:
        yield Refusal(
            "Could not finish the message because max_tokens or model output limit was reached. "
            "Please try again with higher max_tokens."
        )
