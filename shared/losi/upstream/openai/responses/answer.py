"""OpenAI's response object as a chat completion. Pure.

https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from losi.errors import LosiError, UpstreamError
from losi.upstream.format import malformed, upstream_error
from losi.upstream.openai.responses import shapes
from losi.upstream.openai.responses.items import REASONING
from losi.upstream.openai.responses.shapes import Ended, Head, Item, Reasoning
from losi.upstream.reading import ShapeError

if TYPE_CHECKING:
    from losi.wire import JsonObject
    from losi.wire.chat import (
        AnswerMessage,
        Call,
        Choice,
        Completion,
        CompletionDetails,
        FunctionCall,
        LikelyToken,
        Logprobs,
        PromptDetails,
        ThinkingBlock,
        Usage,
    )

#: Codes of a failed run (openai-python, types/responses/response_error.py) that do not blame the
#: request; all others do.
_OURS = {"server_error": 500, "vector_store_timeout": 504, "rate_limit_exceeded": 429}

#: Details of what was read, under one name in both formats.
_READ: tuple[Literal["cached_tokens", "cache_write_tokens"], ...] = (
    "cached_tokens",
    "cache_write_tokens",
)


def completion(response: JsonObject, provider: str) -> Completion:
    """Translate a response. Raises a LosiError for a failed run, or an answer that is no response
    object.
    """
    try:
        return _completion(response, provider)
    except UpstreamError as error:
        error.spent = usage(response.get("usage"))
        raise


def _completion(answer: JsonObject, provider: str) -> Completion:
    try:
        response = shapes.response(answer)
    except ShapeError as error:
        raise malformed(provider) from error
    if response.get("error"):
        raise failure(response["error"], provider)
    output = response["output"]
    message = _message(output, str(response.get("model")))
    choice: Choice = {
        "index": 0,
        "message": message,
        "logprobs": _logprobs(output),
        "finish_reason": finish_reason(response, called=bool(message.get("tool_calls"))),
    }
    completed: Completion = {
        "id": str(response.get("id")),
        "object": "chat.completion",
        "created": created(response),
        "model": str(response.get("model")),
        "choices": [choice],
    }
    if tier := response.get("service_tier"):
        completed["service_tier"] = tier
    if reported := usage(response.get("usage")):
        completed["usage"] = reported
    return completed


def created(response: Head) -> int:
    return int(response.get("created_at") or 0)


def failure(error: object, provider: str) -> LosiError:
    """Translate the `error` of a run or of a stream."""
    if not isinstance(error, dict):
        return malformed(provider)
    code = error.get("code")
    status = _OURS.get(str(code), 400)
    return upstream_error(status, provider, message=error.get("message"), code=code)


def finish_reason(ended: Ended, *, called: bool) -> str:
    details = ended.get("incomplete_details") or {}
    reason = details.get("reason")
    if reason == "max_output_tokens":
        return "length"
    if reason == "content_filter":
        return "content_filter"
    return "tool_calls" if called else "stop"


def usage(theirs: object) -> Usage | None:
    """OpenAI's figures under chat's names; None if there are none."""
    if not isinstance(theirs, dict):
        return None
    read, written = theirs.get("input_tokens"), theirs.get("output_tokens")
    if not isinstance(read, int) or not isinstance(written, int):
        return None
    out: Usage = {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
    }
    if isinstance(details := theirs.get("input_tokens_details"), dict):
        of_input: PromptDetails = {}
        for name in _READ:
            if name in details:
                of_input[name] = details[name]
        out["prompt_tokens_details"] = of_input
    if isinstance(details := theirs.get("output_tokens_details"), dict):
        thought: CompletionDetails = {}
        if "reasoning_tokens" in details:
            thought["reasoning_tokens"] = details["reasoning_tokens"]
        out["completion_tokens_details"] = thought
    return out


def thinking_block(item: Reasoning, model: str) -> ThinkingBlock | None:
    """A reasoning item in the form that the caller sends back in the next turn; None if it is not
    encrypted.
    """
    encrypted = item.get("encrypted_content")
    if encrypted is None:
        return None
    return {
        "type": REASONING,
        "model": model,
        "encrypted_content": encrypted,
        "summary": item.get("summary") or [],
    }


def tool_call(item: Item) -> Call | None:
    """A call in chat's form; None for an item that is no call of the caller's tools."""
    if item["type"] == "function_call":
        function: FunctionCall = {"name": item["name"], "arguments": item.get("arguments") or ""}
        return {"id": item["call_id"], "type": "function", "function": function}
    if item["type"] == "custom_tool_call":
        custom: FunctionCall = {"name": item["name"], "input": item.get("input") or ""}
        return {"id": item["call_id"], "type": "custom", "custom": custom}
    return None


def _message(output: list[Item], model: str) -> AnswerMessage:
    parts = [part for item in output if item["type"] == "message" for part in item["content"]]
    texts = [part["text"] for part in parts if part["type"] == "output_text"]
    refusals = [part["refusal"] for part in parts if part["type"] == "refusal"]
    message: AnswerMessage = {
        "role": "assistant",
        "content": "".join(texts) if texts else None,
        "refusal": "".join(refusals) if refusals else None,
    }
    reasoning = [item for item in output if item["type"] == "reasoning"]
    thoughts = [part["text"] for item in reasoning for part in item.get("summary") or ()]
    if summary := "\n\n".join(thought for thought in thoughts if thought):
        message["reasoning_content"] = summary
    blocks = [block for item in reasoning if (block := thinking_block(item, model))]
    if blocks:
        message["thinking_blocks"] = blocks
    calls = [call for item in output if (call := tool_call(item))]
    if calls:
        message["tool_calls"] = calls
    return message


def logprobs(tokens: list[JsonObject] | None) -> Logprobs | None:
    """Chat has the tokens in the same form."""
    return {"content": cast("list[LikelyToken]", tokens), "refusal": None} if tokens else None


def _logprobs(output: list[Item]) -> Logprobs | None:
    parts = [part for item in output if item["type"] == "message" for part in item["content"]]
    texts = [part for part in parts if part["type"] == "output_text"]
    tokens = [token for text in texts for token in text.get("logprobs") or ()]
    return logprobs(tokens)
