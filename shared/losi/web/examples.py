"""The examples of openapi.json: requests, and what is answered.

A test sends every one and compares: refusals to the letter, answers by their form, as ids, times
and the words of a model differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from losi.wire import JsonObject

#: Placeholder for the id of an existing key.
A_KEY = "key_xyz78900"


@dataclass(frozen=True)
class Example:
    name: str
    summary: str
    answer: Any
    #: Parameters of the path and the query.
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: JsonObject | None = None
    status: int = 200
    #: Request and answer; of a stream, its first event.
    kind: Literal["json", "events", "csv"] = "json"


def refused(message: str, type: str, param: str | None, code: str) -> JsonObject:
    return {"error": {"message": message, "type": type, "param": param, "code": code}}


_USAGE = {
    "prompt_tokens": 18,
    "completion_tokens": 9,
    "total_tokens": 27,
    "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0},
}
_WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather in a location",
        "parameters": {
            "type": "object",
            "properties": {
                "location": {
                    "type": "string",
                    "description": "The city and state, e.g. San Francisco, CA",
                },
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["location"],
        },
    },
}


def _completion(message: JsonObject, finish_reason: str, model: str = "gpt-4o") -> JsonObject:
    whole = {"role": "assistant", "content": None, "refusal": None, **message}
    return {
        "id": "chatcmpl-abc123",
        "object": "chat.completion",
        "created": 1677858242,
        "model": model,
        "choices": [
            {"index": 0, "message": whole, "finish_reason": finish_reason, "logprobs": None}
        ],
        "usage": _USAGE,
        "system_fingerprint": "fp_44709d6fcb",
    }


_CHAT = (
    Example(
        "answer",
        "One answer",
        body={
            "model": "gpt-4o",
            "messages": [
                {"role": "system", "content": "You are a helpful assistant."},
                {"role": "user", "content": "Hello, world!"},
            ],
            "temperature": 0.7,
            "max_tokens": 500,
            "stream": False,
        },
        answer=_completion({"content": "Hello! How can I help you today?"}, "stop"),
    ),
    Example(
        "stream",
        "A stream of chunks, of which the first is shown",
        kind="events",
        body={
            "model": "gpt-4o",
            "messages": [{"role": "user", "content": "Tell me a story"}],
            "stream": True,
        },
        answer={
            "id": "chatcmpl-abc123",
            "object": "chat.completion.chunk",
            "created": 1677858242,
            "model": "gpt-4o",
            "choices": [
                {
                    "index": 0,
                    "delta": {"role": "assistant", "content": "", "refusal": None},
                    "finish_reason": None,
                    "logprobs": None,
                }
            ],
            "system_fingerprint": "fp_44709d6fcb",
        },
    ),
    Example(
        "tools",
        "A model that may call a function",
        body={
            "model": "losi-omega",
            "messages": [{"role": "user", "content": "What's the weather like in San Francisco?"}],
            "tools": [_WEATHER],
        },
        answer=_completion(
            {
                "tool_calls": [
                    {
                        "id": "call_abc123",
                        "type": "function",
                        "function": {
                            "name": "get_weather",
                            "arguments": '{"location":"San Francisco, CA"}',
                        },
                    }
                ]
            },
            "tool_calls",
            model="losi-omega",
        ),
    ),
    Example(
        "wrong_value",
        "A parameter out of its range",
        status=400,
        body={
            "model": "gpt-4o",
            "messages": [{"role": "user", "content": "Hello"}],
            "temperature": 3,
        },
        answer=refused(
            "Invalid value for 'temperature': it should be less than or equal to 2, and is 3.",
            "invalid_request_error",
            "temperature",
            "invalid_value",
        ),
    ),
)

_MODEL = {
    "id": "gpt-4o",
    "object": "model",
    "created": 1677610602,
    "owned_by": "openai",
    "description": "OpenAI's GPT-4o model",
    "kind": "chat",
    "features": ["tools", "vision"],
    "context_window": 128000,
    "max_output_tokens": 16384,
    "pricing": {"input": 2.5, "output": 10.0, "cached_input": 1.25},
    "shutdown_date": None,
}
_MODELS = (Example("models", "The models of a plan", answer={"object": "list", "data": [_MODEL]}),)
_ONE_MODEL = (Example("model", "A model of the plan", parameters={"id": "gpt-4o"}, answer=_MODEL),)

_MASKED = {
    "id": A_KEY,
    "key": "••••••••",
    "name": "My New API Key",
    "created_at": "2026-11-23T09:00:00Z",
    "last_used_at": None,
    "permissions": ["chat.completions", "models.list"],
    "expires_at": "2099-12-31T23:59:59Z",
    "is_enabled": True,
    "created_by": "key_abc12345",
}
_SHOWN = {**_MASKED, "key": "losi-a1b2c3d4e5..."}
_ID = {"id": A_KEY}
UNKNOWN_KEY = Example(
    "unknown_key",
    "An id that no key of the account has",
    status=404,
    parameters={"id": "key_00000000"},
    answer=refused(
        "No API key with this id. List the keys with GET /api/v1/api-keys.",
        "invalid_request_error",
        "id",
        "not_found",
    ),
)
_NO_USAGE = {"total_requests": 2, "total_input_tokens": 1920, "total_output_tokens": 960}
_JUNE = {"start_date": "2026-06-01", "end_date": "2026-06-30"}

#: By name of the endpoint.
EXAMPLES: dict[str, tuple[Example, ...]] = {
    "create_chat_completion": _CHAT,
    "list_models": _MODELS,
    "get_model": _ONE_MODEL,
    "list_keys": (
        Example("all", "All keys", answer={"data": [_MASKED]}),
        Example("one", "One key", parameters=_ID, answer={"data": _MASKED}),
        UNKNOWN_KEY,
    ),
    "create_key": (
        Example(
            "key",
            "A key for completions that ends",
            body={
                "name": "My New API Key",
                "permissions": ["chat.completions", "models.list"],
                "expires_at": "2099-12-31T23:59:59Z",
            },
            answer={"data": _SHOWN},
        ),
        Example(
            "mistyped",
            "A parameter that does not exist",
            status=400,
            body={"name": "My New API Key", "permissions": ["models.list"], "expire_at": None},
            answer=refused(
                "Unknown parameter: 'expire_at'. Did you mean 'expires_at'?",
                "invalid_request_error",
                "expire_at",
                "unknown_parameter",
            ),
        ),
    ),
    "change_key": (
        Example(
            "disable",
            "Disable a key",
            parameters=_ID,
            body={"is_enabled": False},
            answer={"data": {**_MASKED, "is_enabled": False}},
        ),
    ),
    "rotate_key": (
        Example(
            "rotate",
            "A new secret; the old one is good for an hour",
            parameters=_ID,
            body={"expires_in_seconds": 3600},
            answer={"data": {**_SHOWN, "old_key_expires_at": "2026-11-23T10:00:00Z"}},
        ),
    ),
    "delete_key": (
        Example("delete", "Delete a key", parameters=_ID, answer={"success": True}),
        UNKNOWN_KEY,
    ),
    "get_audit_log": (
        Example(
            "newest",
            "The newest record",
            parameters={"limit": "1"},
            answer={
                "data": [
                    {
                        "id": "audit_000007Zb1xQ9vT2k",
                        "at": "2026-11-23T09:00:00Z",
                        "actor": "key_abc12345",
                        "action": "key.created",
                        "target": "key_xyz78900",
                        "before": {},
                        "after": {
                            "permissions": ["chat.completions", "models.list"],
                            "expires_at": "2030-12-31T23:59:59Z",
                            "is_enabled": True,
                            "test": False,
                        },
                        "ip": "203.0.113.7",
                        "request_id": "req_8sJ2mW0pQ4rT6yUz",
                    }
                ],
                "next": "2026-11-23T09:00:00.000000#000007Zb1xQ9vT2k",
            },
        ),
        Example(
            "older",
            "No older records",
            parameters={"before": "2020-01-01T00:00:00.000000#000000000000000"},
            answer={"data": [], "next": None},
        ),
    ),
    "get_usage": (
        Example(
            "days",
            "The usage of June",
            parameters=_JUNE,
            answer={
                "data": {
                    "usage": [
                        {
                            "day": "2026-06-01",
                            "total_requests": 2,
                            "total_input_tokens": 1920,
                            "total_output_tokens": 960,
                        }
                    ],
                    "summary": _NO_USAGE,
                }
            },
        ),
        Example(
            "by_model",
            "By model, with its cost",
            parameters={**_JUNE, "group_by": "model"},
            answer={
                "data": {
                    "usage": [
                        {
                            "day": "2026-06-01",
                            "model": "gpt-4o",
                            "total_requests": 2,
                            "total_input_tokens": 1920,
                            "total_output_tokens": 960,
                            "total_cached_tokens": 0,
                            "total_reasoning_tokens": 0,
                            "cost_usd": 0.0144,
                        }
                    ],
                    "summary": {**_NO_USAGE, "cost_usd": 0.0144},
                }
            },
        ),
        Example(
            "csv",
            "As CSV",
            kind="csv",
            parameters=_JUNE,
            answer="day,total_requests,total_input_tokens,total_output_tokens\r\n"
            "2026-06-01,2,1920,960\r\n",
        ),
        Example(
            "mistyped",
            "A parameter that does not exist",
            status=400,
            parameters={"start_dat": "2026-06-01"},
            answer=refused(
                "Unknown parameter: 'start_dat'. Did you mean 'start_date'?",
                "invalid_request_error",
                "start_dat",
                "unknown_parameter",
            ),
        ),
    ),
    "create_embeddings": (
        Example(
            "base64",
            "The vectors of two texts, shortened and in base64",
            body={
                "model": "text-embedding-3-small",
                "input": ["The food was delicious.", "Where is the bank?"],
                "dimensions": 2,
                "encoding_format": "base64",
            },
            answer={
                "object": "list",
                "data": [
                    {"object": "embedding", "index": 0, "embedding": "AACAPwAAAAA="},
                    {"object": "embedding", "index": 1, "embedding": "AAAAAAAAgD8="},
                ],
                "model": "text-embedding-3-small",
                "usage": {"prompt_tokens": 11, "total_tokens": 11},
            },
        ),
        Example(
            "chat_model",
            "A model that makes no embeddings",
            status=404,
            body={"model": "gpt-4o", "input": "Hello"},
            answer=refused(
                "The model 'gpt-4o' makes chat completions: ask it with POST "
                "/api/v1/chat/completions. Your plan has for embeddings: text-embedding-3-small, "
                "text-embedding-3-large.",
                "invalid_request_error",
                "model",
                "model_not_found",
            ),
        ),
    ),
    "get_health": (
        Example(
            "works",
            "The API and its database answer.",
            {"status": "ok", "version": "0.2.0", "time": "2026-11-26T14:03:07Z"},
        ),
    ),
    "get_openapi": (),
}
