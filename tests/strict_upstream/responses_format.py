"""OpenAI's Responses API: answers, and events in the order that R26 gives."""

import json

from tests.strict_upstream.answers import Answer, Wish
from tests.strict_upstream.openai_models import REASONING_TOKENS, openai_model
from tests.strict_upstream.openai_responses import items
from tests.strict_upstream.rules import Json, Request, texts, tokens
from tests.strict_upstream.signatures import sign


def wish(r: Request) -> Wish:
    body, model = r.body, openai_model(r.model.split(".", 2)[-1]) or openai_model(r.model)
    asked = (body.get("reasoning") or {}).get("effort")
    choice = body.get("tool_choice") or "auto"
    wanted = (body.get("text") or {}).get("format") or {}
    return Wish(
        latest=" ".join(texts(items(r)[-1].get("content"))),
        tools={t["name"]: t.get("parameters") or {} for t in r.tools if t.get("name")},
        choice=choice.get("name", "required") if isinstance(choice, dict) else choice,
        parallel=body.get("parallel_tool_calls") is not False,
        schema=wanted.get("schema", {}) if wanted.get("type", "text") != "text" else None,
        limit=body.get("max_output_tokens"),
        reasoning_tokens=REASONING_TOKENS[model.effort(asked)] if model else 0,
        prompt_tokens=tokens([body.get("input"), body.get("instructions")]) + 1,
    )


def _output(answer: Answer, r: Request) -> list[Json]:
    output: list[Json] = []
    if answer.thought:
        item: Json = {"type": "reasoning", "id": "rs_1", "summary": []}
        if (r.body.get("reasoning") or {}).get("summary"):
            item["summary"] = [{"type": "summary_text", "text": answer.thought}]
        if "reasoning.encrypted_content" in (r.body.get("include") or ()):
            item["encrypted_content"] = sign(answer.thought, 0, r.model)
        output.append(item)
    if answer.text:
        part = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
        said = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
        output.append({**said, "content": [part]})
    for i, (name, arguments) in enumerate(answer.calls):
        call = {"type": "function_call", "id": f"fc_{i}", "call_id": f"call_{i}", "name": name}
        output.append({**call, "arguments": json.dumps(arguments), "status": "completed"})
    return output


def _response(answer: Answer, r: Request) -> Json:
    """As finished; `failed` is a 200, too (R25)."""
    failed = r.account.stop_reason == "failed"
    status = "failed" if failed else "incomplete" if answer.cut else "completed"
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": status,
        "error": {"code": "server_error", "message": "The model failed."} if failed else None,
        "incomplete_details": {"reason": "max_output_tokens"} if answer.cut else None,
        "model": r.model,
        "output": [] if failed else _output(answer, r),
        "parallel_tool_calls": r.body.get("parallel_tool_calls", True),
        "tool_choice": r.body.get("tool_choice", "auto"),
        # R12: strict is tried where it is left out
        "tools": [{**tool, "strict": tool.get("strict", False)} for tool in r.tools],
        "store": r.body.get("store", True),
        "service_tier": "default",
        "usage": {
            "input_tokens": answer.prompt_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": answer.output_tokens,
            "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
            "total_tokens": answer.prompt_tokens + answer.output_tokens,
        },
    }


def plain(answer: Answer, r: Request) -> Json:
    return _response(answer, r)


def stream(answer: Answer, r: Request) -> list[bytes]:
    whole = _response(answer, r)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None, "error": None}
    events: list[Json] = [
        {"type": "response.created", "response": {**begun, "incomplete_details": None}},
        {"type": "response.in_progress", "response": {**begun, "incomplete_details": None}},
    ]
    for index, item in enumerate(whole["output"]):
        events += _item_events(index, item, answer)
    if r.account.breaks_streams:
        events = [*events[:3], {"type": "error", "code": "server_error", "message": "broken"}]
    else:
        events.append({"type": f"response.{whole['status']}", "response": whole})
    return [
        f"event: {event['type']}\ndata: ".encode()
        + json.dumps({**event, "sequence_number": number}).encode()
        + b"\n\n"
        for number, event in enumerate(events)
    ]


def _item_events(index: int, item: Json, answer: Answer) -> list[Json]:
    at: Json = {"item_id": item["id"], "output_index": index}
    inside: list[Json] = []
    begun: Json = {**item, "status": "in_progress"}
    if item["type"] == "message":
        begun["content"] = []
        part, where = item["content"][0], {**at, "content_index": 0}
        blank = {**part, "text": ""}
        inside = [{"type": "response.content_part.added", **where, "part": blank}]
        for piece in answer.halves(part["text"]):
            inside.append({"type": "response.output_text.delta", **where, "delta": piece})
        inside.append({"type": "response.output_text.done", **where, "text": part["text"]})
        inside.append({"type": "response.content_part.done", **where, "part": part})
    elif item["type"] == "function_call":
        begun["arguments"] = ""
        kind = "response.function_call_arguments"
        for piece in answer.halves(item["arguments"]):
            inside.append({"type": f"{kind}.delta", **at, "delta": piece})
        inside.append({"type": f"{kind}.done", **at, "arguments": item["arguments"]})
    elif item["summary"]:
        text, where = item["summary"][0]["text"], {**at, "summary_index": 0}
        begun = {"type": "reasoning", "id": item["id"], "summary": []}
        kind = "response.reasoning_summary"
        blank = {"type": "summary_text", "text": ""}
        inside = [{"type": f"{kind}_part.added", **where, "part": blank}]
        for piece in answer.halves(text):
            inside.append({"type": f"{kind}_text.delta", **where, "delta": piece})
        inside.append({"type": f"{kind}_text.done", **where, "text": text})
        inside.append({"type": f"{kind}_part.done", **where, "part": item["summary"][0]})
    added = {"type": "response.output_item.added", "output_index": index, "item": begun}
    done = {"type": "response.output_item.done", "output_index": index, "item": item}
    return [added, *inside, done]
