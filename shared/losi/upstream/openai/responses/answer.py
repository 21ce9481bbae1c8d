"""OpenAI's response object as a chat completion. Pure.

https://platform.openai.com/docs/api-reference/responses/object
"""

from typing import Any

from losi.errors import LosiError, UpstreamError
from losi.upstream.format import malformed, upstream_error
from losi.upstream.openai.responses import shapes
from losi.upstream.openai.responses.items import REASONING
from losi.upstream.openai.responses.shapes import Ended, Head, Item, Reasoning
from losi.upstream.shape import ShapeError
from losi.wire import Json

#: Codes of a failed run (openai-python, types/responses/response_error.py) that do not blame the
#: request; all others do.
_OURS = {"server_error": 500, "vector_store_timeout": 504, "rate_limit_exceeded": 429}


def completion(response: Json, provider: str) -> Json:
    """Raises a LosiError for a run that failed, or an answer that is no response object."""
    try:
        return _completion(response, provider)
    except UpstreamError as error:
        error.spent = usage(response.get("usage"))
        raise


def _completion(answer: Json, provider: str) -> Json:
    try:
        response = shapes.response(answer)
    except ShapeError as error:
        raise malformed(provider) from error
    if response.get("error"):
        raise failure(response["error"], provider)
    output = response["output"]
    message = _message(output, str(response.get("model")))
    choice = {
        "index": 0,
        "message": message,
        "logprobs": _logprobs(output),
        "finish_reason": finish_reason(response, called=bool(message.get("tool_calls"))),
    }
    completed: Json = {
        **identity(response, "chat.completion"),
        "choices": [choice],
    }
    if tier := response.get("service_tier"):
        completed["service_tier"] = tier
    if reported := usage(response.get("usage")):
        completed["usage"] = reported
    return completed


def identity(response: Head, kind: str) -> Json:
    """What a completion and all of its chunks begin with."""
    return {
        "id": str(response.get("id")),
        "object": kind,
        "created": int(response.get("created_at") or 0),
        "model": str(response.get("model")),
    }


def failure(error: Any, provider: str) -> LosiError:
    """What the `error` of a run or of a stream means for the caller."""
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


def usage(theirs: Any) -> Json | None:
    """OpenAI's figures under chat's names; None where there are none."""
    if not isinstance(theirs, dict):
        return None
    read, written = theirs.get("input_tokens"), theirs.get("output_tokens")
    if not isinstance(read, int) or not isinstance(written, int):
        return None
    out: Json = {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
    }
    read_details = ("cached_tokens", "cache_write_tokens")
    for name, theirs_name, known in (
        ("prompt_tokens_details", "input_tokens_details", read_details),
        ("completion_tokens_details", "output_tokens_details", ("reasoning_tokens",)),
    ):
        if isinstance(details := theirs.get(theirs_name), dict):
            out[name] = {figure: details[figure] for figure in known if figure in details}
    return out


def thinking_block(item: Reasoning, model: str) -> Json | None:
    """A reasoning item as the caller carries it to the next turn; None if it is not encrypted."""
    encrypted = item.get("encrypted_content")
    if encrypted is None:
        return None
    return {
        "type": REASONING,
        "model": model,
        "encrypted_content": encrypted,
        "summary": item.get("summary") or [],
    }


def tool_call(item: Item) -> Json | None:
    """A call in chat's form, or None for an item that is no call of the caller's tools."""
    if item["type"] == "function_call":
        function = {"name": item["name"], "arguments": item.get("arguments") or ""}
        return {"id": item["call_id"], "type": "function", "function": function}
    if item["type"] == "custom_tool_call":
        custom = {"name": item["name"], "input": item.get("input") or ""}
        return {"id": item["call_id"], "type": "custom", "custom": custom}
    return None


def _message(output: list[Item], model: str) -> Json:
    said = [part for item in output if item["type"] == "message" for part in item["content"]]
    texts = [part["text"] for part in said if part["type"] == "output_text"]
    refusals = [part["refusal"] for part in said if part["type"] == "refusal"]
    message: Json = {
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


def _logprobs(output: list[Item]) -> Json | None:
    said = [part for item in output if item["type"] == "message" for part in item["content"]]
    texts = [part for part in said if part["type"] == "output_text"]
    tokens = [token for text in texts for token in text.get("logprobs") or ()]
    return {"content": tokens, "refusal": None} if tokens else None
