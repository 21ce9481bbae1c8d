"""Requests that vendors of OpenAI's format refuse, and some that they must not."""

from typing import Any

from tests.strict_upstream.provocations import (
    CLOSED,
    USER,
    Provocation,
    called,
    chat,
    deep,
    image,
    json_schema,
    result,
    tool,
    user,
)
from tests.strict_upstream.rules import Account, Json

LONG: Json = {"role": "user", "content": "x " * 300_000}
T = [tool()]


def groq(rule: str, model: str = "openai/gpt-oss-120b", **more: Any) -> Provocation:
    return chat(rule, model, to="/groq/v1", **more)


def mistral(rule: str, **more: Any) -> Provocation:
    return chat(rule, "mistral-medium-latest", to="/mistral/v1", **more)


def gemini(rule: str, **more: Any) -> Provocation:
    return chat(rule, "gemini-3-pro", to="/gemini/v1beta/openai", **more)


def azure(rule: str, model: str = "gpt-6-luna", **more: Any) -> Provocation:
    return chat(rule, model, to="/azure/openai/v1", **more)


def vllm(rule: str, model: str = "qwen3", **more: Any) -> Provocation:
    return chat(rule, model, to="/vllm/v1", **more)


VENDORS = [
    groq("C1", prompt_cache_key="x", says="property 'prompt_cache_key' is unsupported"),
    groq("C1", safety_identifier="x"),
    groq("C2", messages=[USER, {"role": "assistant", "content": "x", "reasoning_content": "y"}]),
    groq("C3", "llama-4", reasoning_effort="low", says="not supported with this model"),
    groq("C3", "llama-4", messages=[{"role": "assistant", "content": "x", "reasoning": "y"}, USER]),
    groq("C4", reasoning_effort="xhigh"),
    groq("C4", "qwen/qwen3.8-27b", reasoning_effort="low"),
    groq("C5", response_format=json_schema(CLOSED), stream=True),
    groq("C5", response_format=json_schema(CLOSED), tools=T),
    groq("C6", logprobs=True),
    groq("C6", messages=[{**USER, "name": "ann"}]),
    groq("C6", n=2),
    groq("C6", stream=True, status=200, says='"x_groq"'),
    chat(
        "C10",
        "m",
        to="/together/v1",
        messages=[{"role": "assistant", "content": "x", "tool_calls": []}, USER],
    ),
    chat(
        "C10",
        "m",
        to="/together/v1",
        response_format={"type": "json_schema", "json_schema": {"schema": CLOSED}},
    ),
    mistral("C20", max_completion_tokens=5, status=422, says="extra_forbidden"),
    mistral("C20", seed=1, status=422),
    mistral("C20", stream=True, stream_options={"include_usage": True}, status=422),
    mistral("C20", messages=[{**USER, "name": "ann"}], status=422),
    mistral("C20", messages=[user({"type": "text", "text": "x", "cache_control": {}})], status=422),
    mistral("C21", temperature=1.8, status=422),
    mistral("C21", tools=[tool(f"t{i}") for i in range(129)], status=422),
    mistral("C21", messages=[LONG], says="too large for model"),
    mistral("C22", reasoning_effort="low", says="supported values"),
    mistral("C23", messages=[USER, called(), result()], tools=T, says="length of 9"),
    mistral("C24", messages=[USER, {"role": "assistant", "content": ""}, USER]),
    mistral("C27", reasoning_effort="high", status=200, says='"thinking"'),
    mistral("C27", account=Account(stop_reason="model_length"), status=200, says="model_length"),
    mistral("C28", stream=True, status=200, says='"usage"'),
    gemini("C30", frequency_penalty=1, says="Cannot find field"),
    gemini("C30", prompt_cache_key="x", says='[{"error"'),
    gemini("C30", parallel_tool_calls=True, tools=T, status=200),
    gemini("C31", account=Account(key="k"), says="API_KEY_INVALID"),
    gemini("C32", messages=[USER, called(), result()], tools=T, says="thought_signature"),
    gemini(
        "C32",
        messages=[
            USER,
            called(extra_content={"google": {"thought_signature": "x"}}),
            result(),
        ],
        tools=T,
        status=200,
    ),
    gemini("C33", response_format=json_schema(deep(210)), says="too many states"),
    gemini("C33", tools=T, tool_choice="required", status=200, says='"finish_reason":"stop"'),
    azure("C40", messages=[user({"type": "file", "file": {"file_data": "x"}})]),
    azure("C40", "mistral-large", max_completion_tokens=5, status=422),
    azure("O4", tools=T, says="/v1/chat/completions"),
    azure("C41", query="?api-version=2024-10-21", says="api-version"),
    azure("C41", messages=[{"role": "user", "content": "<filtered>"}], says="content_filter"),
    vllm("C50", tools=[], says='"code":400'),
    vllm("C50", tool_choice="auto", says="`tools` must be set"),
    vllm("C50", tool_choice="none", status=200),
    vllm("C51", tools=T, account=Account(tools=False), says="--enable-auto-tool-choice"),
    vllm("C52", whatever=1, status=200),
    vllm("C53", "strict-template", messages=[{"role": "system", "content": "x"}] * 2 + [USER]),
    vllm("C54", messages=[LONG], says="maximum context length"),
    chat(
        "C60",
        "llama4",
        to="/ollama/v1",
        messages=[user({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}})],
    ),
    chat("C60", "llama4", to="/ollama/v1", messages=[user(image())], status=200),
    chat("C60", "llama4", to="/ollama/v1", reasoning_effort="low", status=200, says='"reasoning"'),
]
