"""Anthropic's Messages: answers and events."""

import json

from tests.strict_upstream.answers import Answer, Wish
from tests.strict_upstream.claude import choice_of, config_of, model_of, thinking_of
from tests.strict_upstream.claude_messages import blocks_of, prefix
from tests.strict_upstream.openai_models import REASONING_TOKENS
from tests.strict_upstream.rules import Json, Refusal, Request, texts, tokens
from tests.strict_upstream.signatures import digest, sign

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error"}


def wish(r: Request) -> Wish:
    model, config = model_of(r), config_of(r)
    choice = r.body.get("tool_choice") or {}
    kind = choice_of(r)
    latest = " ".join(texts(blocks_of(r.messages[-1])))
    format_ = config.get("format") or {}
    forced = kind in ("any", "tool")
    thinks = model.thinks(r.body.get("thinking")) and not forced
    effort = config.get("effort", "medium")
    said = json.dumps([r.body.get("system"), latest])
    return Wish(
        latest=latest,
        tools={tool["name"]: tool["input_schema"] for tool in r.tools},
        choice={"any": "required", "tool": choice.get("name", "")}.get(kind, kind),
        parallel=not choice.get("disable_parallel_tool_use"),
        schema=format_.get("schema") or ({} if "JSON object" in said else None),
        limit=r.body.get("max_tokens"),
        reasoning_tokens=REASONING_TOKENS[effort] if thinks else 0,
        prompt_tokens=tokens([r.body.get("system"), r.messages]) + 1,
    )


def content(answer: Answer, r: Request) -> list[Json]:
    blocks: list[Json] = []
    if answer.thought:
        before = prefix(r, len(r.messages)) if model_of(r).bound else None
        shown = thinking_of(r).get("display", "summarized") != "omitted"
        thought = answer.thought if shown else ""
        signature = sign(thought, 0, r.model, before)
        blocks.append({"type": "thinking", "thinking": thought, "signature": signature})
    if answer.text:
        blocks.append({"type": "text", "text": answer.text})
    for i, (name, arguments) in enumerate(answer.calls):
        call_id = f"toolu_{digest([r.messages, i])}"
        blocks.append({"type": "tool_use", "id": call_id, "name": name, "input": arguments})
    return blocks


def stop_reason(answer: Answer, r: Request) -> str:
    if r.account.stop_reason:
        return r.account.stop_reason
    return "max_tokens" if answer.cut else "tool_use" if answer.calls else "end_turn"


def _message(answer: Answer, r: Request) -> Json:
    refusal = r.account.stop_reason == "refusal"
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": r.model,
        "content": [] if refusal else content(answer, r),
        "stop_reason": stop_reason(answer, r),
        "stop_sequence": None,
        "usage": {
            "input_tokens": answer.prompt_tokens,
            "output_tokens": answer.output_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    }


def plain(answer: Answer, r: Request) -> Json:
    return _message(answer, r)


def stream(answer: Answer, r: Request) -> list[bytes]:
    whole = _message(answer, r)
    begun = {**whole, "content": [], "stop_reason": None}
    begun["usage"] = {**whole["usage"], "output_tokens": 1}
    events: list[Json] = [{"type": "message_start", "message": begun}, {"type": "ping"}]
    for index, block in enumerate(whole["content"]):
        events += _block_events(index, block, answer)
    usage = {"output_tokens": answer.output_tokens}
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    events.append({"type": "message_delta", "delta": delta, "usage": usage})
    events.append({"type": "message_stop"})
    if r.account.breaks_streams:  # A73
        error = {"type": "overloaded_error", "message": "Overloaded"}
        events = [*events[:3], {"type": "error", "error": error}]
    return [f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events]


def _block_events(index: int, block: Json, answer: Answer) -> list[Json]:
    kind = block["type"]
    deltas: list[Json] = []
    if kind == "text":
        empty = {**block, "text": ""}
        deltas = [{"type": "text_delta", "text": p} for p in answer.halves(block["text"])]
    elif kind == "thinking":
        empty = {**block, "thinking": "", "signature": ""}
        pieces = answer.halves(block["thinking"])
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    else:
        empty = {**block, "input": {}}
        pieces = answer.halves(json.dumps(block["input"])) if block["input"] else []
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return [
        {"type": "content_block_start", "index": index, "content_block": empty},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def refused(refusal: Refusal) -> Json:
    kind = refusal.type or _TYPES.get(refusal.status, "invalid_request_error")
    error = {"type": kind, "message": refusal.message}
    return {"type": "error", "error": error, "request_id": "req_strict"}
