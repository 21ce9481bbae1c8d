"""OpenAI's response object as a chat completion. Pure.

https://platform.openai.com/docs/api-reference/responses/object
"""

from typing import Any

from losi.errors import LosiError, UpstreamError
from losi.upstream.format import malformed, upstream_error
from losi.upstream.openai.responses.items import REASONING
from losi.wire import Json

#: Codes of a failed run (openai-python, types/responses/response_error.py) that do not blame the
#: request; all others do.
_OURS = {"server_error": 500, "vector_store_timeout": 504, "rate_limit_exceeded": 429}


def completion(response: Json, provider: str, *, legacy_functions: bool) -> Json:
    """Raises a LosiError for a run that failed, or an answer that is no response object."""
    try:
        return _completion(response, provider, legacy_functions=legacy_functions)
    except UpstreamError as error:
        error.spent = usage(response.get("usage"))
        raise


def _completion(response: Json, provider: str, *, legacy_functions: bool) -> Json:
    output = response.get("output")
    if not isinstance(output, list) or not all(isinstance(item, dict) for item in output):
        raise malformed(provider)
    if response.get("error"):
        raise failure(response["error"], provider)
    message = _message(output, str(response.get("model")), legacy_functions=legacy_functions)
    choice = {
        "index": 0,
        "message": message,
        "logprobs": _logprobs(output),
        "finish_reason": finish_reason(response, called=_called(message)),
    }
    answer: Json = {
        **identity(response, "chat.completion"),
        "choices": [choice],
    }
    if tier := response.get("service_tier"):
        answer["service_tier"] = tier
    if reported := usage(response.get("usage")):
        answer["usage"] = reported
    return answer


def identity(response: Json, kind: str) -> Json:
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


def finish_reason(response: Json, *, called: str | None) -> str:
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    if reason == "max_output_tokens":
        return "length"
    if reason == "content_filter":
        return "content_filter"
    return called or "stop"


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


def thinking_block(item: Json, model: str) -> Json | None:
    """A reasoning item as the caller carries it to the next turn; None if it is not encrypted."""
    encrypted = item.get("encrypted_content")
    if not isinstance(encrypted, str):
        return None
    summary = item.get("summary") or []
    return {
        "type": REASONING,
        "model": model,
        "encrypted_content": encrypted,
        "summary": summary,
    }


def tool_call(item: Json) -> Json | None:
    """A call in chat's form, or None for an item that is no call of the caller's tools."""
    name = item.get("name")
    if item.get("type") == "function_call":
        function = {"name": name, "arguments": item.get("arguments") or ""}
        return {"id": item.get("call_id"), "type": "function", "function": function}
    if item.get("type") == "custom_tool_call":
        custom = {"name": name, "input": item.get("input") or ""}
        return {"id": item.get("call_id"), "type": "custom", "custom": custom}
    return None


def _message(output: list[Json], model: str, *, legacy_functions: bool) -> Json:
    said = [part for item in output if item.get("type") == "message" for part in _parts(item)]
    texts = [str(part["text"]) for part in said if part.get("type") == "output_text"]
    refusals = [str(part["refusal"]) for part in said if part.get("type") == "refusal"]
    message: Json = {
        "role": "assistant",
        "content": "".join(texts) if texts else None,
        "refusal": "".join(refusals) if refusals else None,
    }
    reasoning = [item for item in output if item.get("type") == "reasoning"]
    if summary := "\n\n".join(text for item in reasoning for text in _summary(item)):
        message["reasoning_content"] = summary
    blocks = [block for item in reasoning if (block := thinking_block(item, model))]
    if blocks:
        message["thinking_blocks"] = blocks
    calls = [call for item in output if (call := tool_call(item))]
    if calls and legacy_functions:
        message["function_call"] = calls[0]["function"]
    elif calls:
        message["tool_calls"] = calls
    return message


def _called(message: Json) -> str | None:
    if message.get("tool_calls"):
        return "tool_calls"
    return "function_call" if message.get("function_call") else None


def _parts(item: Json) -> list[Json]:
    content = item.get("content")
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _summary(item: Json) -> list[str]:
    summary = item.get("summary")
    parts = summary if isinstance(summary, list) else []
    return [str(part.get("text")) for part in parts if isinstance(part, dict) and part.get("text")]


def _logprobs(output: list[Json]) -> Json | None:
    messages = (item for item in output if item.get("type") == "message")
    tokens = [
        token for item in messages for part in _parts(item) for token in part.get("logprobs") or ()
    ]
    return {"content": tokens, "refusal": None} if tokens else None
