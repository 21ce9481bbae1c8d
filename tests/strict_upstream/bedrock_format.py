"""Bedrock's Converse: answers, and ConverseStream's events."""

import json

from tests.strict_upstream.answers import Answer, Wish
from tests.strict_upstream.bedrock import blocks_of, claude_of, config_of, extra_of, tool_specs
from tests.strict_upstream.openai_models import REASONING_TOKENS
from tests.strict_upstream.rules import Json, Request, texts, tokens
from tests.strict_upstream.signatures import digest, sign

_STOPS = {"refusal": "guardrail_intervened"}


def wish(r: Request) -> Wish:
    extra, model = extra_of(r), claude_of(r)
    config = r.body.get("toolConfig") or {}
    choice, named = next(iter((config.get("toolChoice") or {"auto": {}}).items()))
    latest = " ".join(texts(blocks_of(r.messages[-1])))
    format_ = (r.body.get("outputConfig") or {}).get("textFormat") or {}
    schema = json.loads(format_["structure"]["jsonSchema"]["schema"]) if format_ else None
    forced = choice in ("any", "tool")
    effort = (extra.get("output_config") or {}).get("effort", "medium")
    thinks = model is not None and model.thinks(extra.get("thinking")) and not forced
    said = json.dumps([r.body.get("system"), latest])
    return Wish(
        latest=latest,
        tools={spec["name"]: spec["inputSchema"]["json"] for spec in tool_specs(r)},
        choice={"any": "required", "tool": named.get("name", "")}.get(choice, choice),
        parallel=not (extra.get("tool_choice") or {}).get("disable_parallel_tool_use"),
        schema=schema or ({} if "JSON object" in said else None),
        limit=config_of(r).get("maxTokens"),
        reasoning_tokens=REASONING_TOKENS[effort] if thinks else 0,
        prompt_tokens=tokens([r.body.get("system"), r.messages]) + 1,
    )


def _blocks(answer: Answer, r: Request) -> list[Json]:
    blocks: list[Json] = []
    if answer.thought:
        text = {"text": answer.thought, "signature": sign(answer.thought, 0, r.model)}
        blocks.append({"reasoningContent": {"reasoningText": text}})
    if answer.text:
        blocks.append({"text": answer.text})
    for i, (name, arguments) in enumerate(answer.calls):
        use = {"toolUseId": f"tooluse_{digest([r.messages, i])}", "name": name, "input": arguments}
        blocks.append({"toolUse": use})
    return blocks


def _stop(answer: Answer, r: Request) -> str:
    if r.account.stop_reason:
        return _STOPS.get(r.account.stop_reason, r.account.stop_reason)
    return "max_tokens" if answer.cut else "tool_use" if answer.calls else "end_turn"


def _usage(answer: Answer) -> Json:
    total = answer.prompt_tokens + answer.output_tokens
    counts = {"inputTokens": answer.prompt_tokens, "outputTokens": answer.output_tokens}
    return {**counts, "totalTokens": total}


def plain(answer: Answer, r: Request) -> Json:
    return {
        "output": {"message": {"role": "assistant", "content": _blocks(answer, r)}},
        "stopReason": _stop(answer, r),
        "usage": _usage(answer),
        "metrics": {"latencyMs": 1},
    }


def stream(answer: Answer, r: Request) -> list[Json]:
    """Events as `{"contentBlockDelta": {...}}`."""
    events: list[Json] = [{"messageStart": {"role": "assistant"}}]
    for index, block in enumerate(_blocks(answer, r)):
        events += _block_events(index, block, answer)
    events.append({"messageStop": {"stopReason": _stop(answer, r)}})
    events.append({"metadata": {"usage": _usage(answer), "metrics": {"latencyMs": 1}}})
    return events


def _block_events(index: int, block: Json, answer: Answer) -> list[Json]:
    at = {"contentBlockIndex": index}
    start: list[Json] = []
    if "text" in block:
        deltas: list[Json] = [{"text": piece} for piece in answer.halves(block["text"])]
    elif "toolUse" in block:
        use = {name: block["toolUse"][name] for name in ("toolUseId", "name")}
        start = [{"contentBlockStart": {"start": {"toolUse": use}, **at}}]
        pieces = answer.halves(json.dumps(block["toolUse"]["input"]))
        deltas = [{"toolUse": {"input": piece}} for piece in pieces]
    else:
        thought = block["reasoningContent"]["reasoningText"]
        inside = [{"text": piece} for piece in answer.halves(thought["text"])]
        inside.append({"signature": thought["signature"]})
        deltas = [{"reasoningContent": one} for one in inside]
    return [
        *start,
        *({"contentBlockDelta": {"delta": delta, **at}} for delta in deltas),
        {"contentBlockStop": at},
    ]
