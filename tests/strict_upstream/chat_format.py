"""OpenAI's chat completions, and the forms that other vendors give them."""

import json
from typing import Any

from tests.strict_upstream.answers import Answer, Wish
from tests.strict_upstream.openai_models import REASONING_TOKENS, openai_model
from tests.strict_upstream.rules import Json, Refusal, Request, texts, tokens

_STATUS_TYPES = {401: "invalid_request_error", 404: "invalid_request_error", 500: "server_error"}


def wish(r: Request) -> Wish:
    body, model = r.body, openai_model(r.model)
    effort = model.effort(body.get("reasoning_effort")) if model else "none"
    tools = {t["function"]["name"]: t["function"].get("parameters") or {} for t in r.tools}
    functions = {f["name"]: f.get("parameters") or {} for f in body.get("functions") or ()}
    choice = body.get("tool_choice", body.get("function_call")) or "auto"
    if isinstance(choice, dict):
        choice = choice.get("function", choice).get("name", "required")
    wanted = body.get("response_format") or {}
    schema = (wanted.get("json_schema") or {}).get("schema")
    return Wish(
        latest=" ".join(texts(r.messages[-1].get("content"))),
        tools=tools or functions,
        choice=choice,
        parallel=body.get("parallel_tool_calls") is not False,
        schema=schema if schema else {} if wanted.get("type", "text") != "text" else None,
        limit=body.get("max_completion_tokens") or body.get("max_tokens"),
        reasoning_tokens=REASONING_TOKENS.get(effort, 0),
        prompt_tokens=tokens(r.messages) + 1,
        n=body.get("n") or 1,
    )


def _usage(answer: Answer) -> Json:
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.prompt_tokens + answer.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
    }


def _finish(answer: Answer, r: Request) -> str:
    if r.account.stop_reason:
        return r.account.stop_reason
    if answer.cut:
        return "length"
    called = answer.calls and r.vendor not in ("gemini", "ollama")  # C33, C60
    return "tool_calls" if called else "stop"


def _tool_calls(answer: Answer) -> list[Json]:
    return [
        {
            "id": f"call_{i}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for i, (name, arguments) in enumerate(answer.calls)
    ]


def _message(answer: Answer, r: Request) -> Json:
    message: Json = {"role": "assistant", "content": answer.text or None, "refusal": None}
    calls = _tool_calls(answer)
    if calls and r.body.get("functions"):
        message["function_call"] = calls[0]["function"]
    elif calls:
        message["tool_calls"] = calls
    if r.vendor == "mistral":  # C27
        if r.body.get("reasoning_effort") == "high" and answer.text:
            thought = {"type": "thinking", "thinking": [{"type": "text", "text": "I think."}]}
            message["content"] = [thought, {"type": "text", "text": answer.text}]
        for call in calls:
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    if r.vendor == "ollama" and r.body.get("reasoning_effort"):  # C60
        message["reasoning"] = "I think."
    return message


def plain(answer: Answer, r: Request) -> Json:
    message = _message(answer, r)
    finish = "function_call" if "function_call" in message else _finish(answer, r)
    choices = [
        {"index": i, "message": message, "finish_reason": finish, "logprobs": None}
        for i in range(answer.n)
    ]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": r.model,
        "choices": choices,
        "usage": _usage(answer),
        "service_tier": "default",
        "system_fingerprint": "fp_strict",
    }


def _deltas(answer: Answer, r: Request) -> list[Json]:
    message = _message(answer, r)
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in answer.halves(answer.text)]
    if call := message.get("function_call"):
        deltas += [{"function_call": {"name": call["name"], "arguments": ""}}]
        deltas += [{"function_call": {"arguments": p}} for p in answer.halves(call["arguments"])]
    for i, call in enumerate(_tool_calls(answer) if "tool_calls" in message else ()):
        function = {"name": call["function"]["name"], "arguments": ""}
        deltas.append({"tool_calls": [{**call, "index": i, "function": function}]})
        for piece in answer.halves(call["function"]["arguments"]):
            deltas.append({"tool_calls": [{"index": i, "function": {"arguments": piece}}]})
    return deltas


def stream(answer: Answer, r: Request) -> list[bytes]:
    frame = {
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000,
        "model": r.model, "service_tier": "default", "system_fingerprint": "fp_strict",
    }  # fmt: skip
    asked = (r.body.get("stream_options") or {}).get("include_usage")
    chunks: list[Json] = []
    for i in range(answer.n):
        for delta in _deltas(answer, r):
            choice = {"index": i, "delta": delta, "finish_reason": None, "logprobs": None}
            chunks.append({**frame, "choices": [choice], **({"usage": None} if asked else {})})
        finish = "function_call" if r.body.get("functions") and answer.calls else None
        choice = {"index": i, "delta": {}, "finish_reason": finish or _finish(answer, r)}
        chunks.append({**frame, "choices": [choice], **({"usage": None} if asked else {})})
    if r.vendor == "groq":  # C6
        chunks[-1]["x_groq"] = {"id": "req_1", "usage": _usage(answer)}
    elif r.vendor == "mistral":  # C28
        chunks[-1]["usage"] = _usage(answer)
    elif asked:
        chunks.append({**frame, "choices": [], "usage": _usage(answer)})
    events = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks]
    if r.account.breaks_streams:
        return [*events[:2], b'data: {"error": {"message": "broken", "type": "server_error"}}\n\n']
    return [*events, b"data: [DONE]\n\n"]


def refused(refusal: Refusal, r: Request) -> Any:
    """The body of a refusal, as the vendor has it."""
    kind = refusal.type or _STATUS_TYPES.get(refusal.status, "invalid_request_error")
    error: Json = {"message": refusal.message, "type": kind}
    if r.vendor == "gemini":
        details = [{"reason": refusal.code}] if refusal.code else []
        told = {"code": refusal.status, "message": refusal.message, "status": "INVALID_ARGUMENT"}
        return [{"error": {**told, "details": details}}]
    if r.vendor == "mistral":
        said: Any = refusal.message
        if refusal.status == 422:
            place = (refusal.param or "").split(".")
            said = {"detail": [{"type": "extra_forbidden", "loc": place, "msg": refusal.message}]}
        return {"object": "error", "message": said, "type": kind, "param": None, "code": None}
    if r.vendor == "groq":
        return {"error": error}
    if r.vendor == "vllm":
        return {"error": {**error, "param": None, "code": refusal.status}}
    return {"error": {**error, "param": refusal.param, "code": refusal.code}}
