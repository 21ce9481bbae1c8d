"""Anthropic's Messages, by message and block: A20 to A31, A42 to A51 and A60 to A64."""

import re
from collections.abc import Iterator
from typing import Any

from tests.strict_upstream.claude import BOOK, Refusals, config_of, model_of, thinking_of
from tests.strict_upstream.rules import Json, Refusal, Request
from tests.strict_upstream.signatures import digest, opened

FIELDS = {
    "cache_control", "container", "context_management", "inference_geo", "max_tokens",
    "mcp_servers", "messages", "metadata", "model", "output_config", "service_tier", "speed",
    "stop_sequences", "stream", "system", "temperature", "thinking", "tool_choice", "tools",
    "top_k", "top_p",
}  # fmt: skip
BLOCKS = {
    "text": {"text", "citations", "cache_control"},
    "image": {"source", "cache_control"},
    "document": {"source", "title", "context", "citations", "cache_control"},
    "tool_use": {"id", "name", "input", "cache_control", "caller"},
    "tool_result": {"tool_use_id", "content", "is_error", "cache_control"},
    "thinking": {"thinking", "signature"},
    "redacted_thinking": {"data"},
}
THINKING = ("thinking", "redacted_thinking")


def blocks_of(message: Json) -> list[Json]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [b for b in content if isinstance(b, dict)] if isinstance(content, list) else []


def placed(r: Request) -> Iterator[tuple[str, Json]]:
    """Every block of the messages with its path, those within tool results too."""
    for i, message in enumerate(r.messages):
        for j, block in enumerate(blocks_of(message)):
            yield f"messages.{i}.content.{j}", block
            if block.get("type") == "tool_result":
                for k, inner in enumerate(blocks_of(block)):
                    yield f"messages.{i}.content.{j}.tool_result.content.{k}", inner


def turns(r: Request) -> list[Json]:
    """The messages, neighbours of one role merged as Anthropic does (A21)."""
    merged: list[Json] = []
    for message in r.messages:
        if message.get("role") == "system":
            continue
        if merged and merged[-1]["role"] == message.get("role"):
            merged[-1]["content"] = [*merged[-1]["content"], *blocks_of(message)]
        else:
            merged.append({"role": message.get("role"), "content": blocks_of(message)})
    return merged


@BOOK.refuses("A20")
def needed(r: Request) -> Refusals:
    for name in ("model", "max_tokens", "messages"):
        if name not in r.body:
            yield Refusal(f"{name}: Field required")
    if not r.body.get("messages"):
        yield Refusal("messages: at least one message is required")
    if len(r.messages) > 100_000:
        yield Refusal("messages: at most 100000 messages are allowed")


@BOOK.refuses("A51")
def marked_thinking(r: Request) -> Refusals:
    for where, block in placed(r):
        if block.get("type") in THINKING and "cache_control" in block:
            found = f"{where}.{block['type']}.cache_control"
            yield Refusal(f"{found}: Extra inputs are not permitted")


@BOOK.refuses("A50")
def unknown_fields(r: Request) -> Refusals:
    for name in sorted(r.body.keys() - FIELDS):
        yield Refusal(f"{name}: Extra inputs are not permitted")
    for i, message in enumerate(r.messages):
        for name in sorted(message.keys() - {"role", "content"}):
            yield Refusal(f"messages.{i}.{name}: Extra inputs are not permitted")
    for where, block in placed(r):
        kind = str(block.get("type"))
        if kind not in BLOCKS:
            yield Refusal(f"{where}: Input tag '{kind}' found using 'type' does not match")
        for name in sorted(block.keys() - BLOCKS.get(kind, set()) - {"type"}):
            yield Refusal(f"{where}.{kind}.{name}: Extra inputs are not permitted")
    for where, mark in marks(r):
        for name in sorted(mark.keys() - {"type", "ttl"}):
            found = f"{where}.cache_control.ephemeral.{name}"
            yield Refusal(f"{found}: Extra inputs are not permitted")


@BOOK.refuses("A46")
def marked_empty_text(r: Request) -> Refusals:
    for where, block in placed(r):
        if block.get("type") == "text" and not block.get("text") and "cache_control" in block:
            yield Refusal(f"{where}.text: cache_control cannot be set for empty text blocks")


@BOOK.refuses("A22")
def blank_text(r: Request) -> Refusals:
    system = r.body.get("system")
    given = [("system", b) for b in blocks_of({"content": system})] if system is not None else []
    for _, block in [*given, *placed(r)]:
        text = block.get("text", "x")
        if block.get("type") == "text" and not str(text).strip():
            found = "non-empty" if not text else "contain non-whitespace text"
            verb = "be " if not text else ""
            yield Refusal(f"messages: text content blocks must {verb}{found}")
    for i, message in enumerate(r.messages):
        last = i + 1 == len(r.messages) and message.get("role") == "assistant"
        if not blocks_of(message) and not last:
            yield Refusal(f"messages.{i}: all messages must have non-empty content")


@BOOK.refuses("A23")
def trailing_space(r: Request) -> Refusals:
    last = turns(r)[-1:] or [{"role": "", "content": []}]
    text = next((b.get("text", "") for b in reversed(last[0]["content"])), "")
    if last[0]["role"] == "assistant" and text != str(text).rstrip():
        yield Refusal("messages: final assistant content cannot end with trailing whitespace")


_ID = re.compile(r"[a-zA-Z0-9_-]+")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")


@BOOK.refuses("A29")
def ids_and_names(r: Request) -> Refusals:
    for i, tool in enumerate(r.tools):
        if not _NAME.fullmatch(str(tool.get("name", ""))):
            where = f"tools.{i}.custom.name"
            yield Refusal(f"{where}: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    for where, block in placed(r):
        for name in ("id", "tool_use_id"):
            if name in block and not _ID.fullmatch(str(block[name])):
                found = f"{where}.{block['type']}.{name}"
                yield Refusal(f"{found}: String should match pattern '^[a-zA-Z0-9_-]+$'")
        if block.get("type") == "tool_use" and not _NAME.fullmatch(str(block.get("name", ""))):
            found = f"{where}.tool_use.name"
            yield Refusal(f"{found}: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")


@BOOK.refuses("A28")
def ids_twice(r: Request) -> Refusals:
    uses = [b["id"] for _, b in placed(r) if b.get("type") == "tool_use"]
    results = [b["tool_use_id"] for _, b in placed(r) if b.get("type") == "tool_result"]
    if len(uses) != len(set(uses)):
        yield Refusal("messages: `tool_use` ids must be unique")
    if len(results) != len(set(results)):
        yield Refusal("messages: each tool_use must have a single result")


def _uses(turn: Json) -> list[str]:
    return [b["id"] for b in turn["content"] if b.get("type") == "tool_use"]


def _results(turn: Json) -> list[str]:
    return [b["tool_use_id"] for b in turn["content"] if b.get("type") == "tool_result"]


@BOOK.refuses("A25")
def result_without_use(r: Request) -> Refusals:
    before: Json = {"content": []}
    for i, turn in enumerate(turns(r)):
        for found in _results(turn):
            if found not in _uses(before):
                yield Refusal(
                    f"messages.{i}.content.0: unexpected `tool_use_id` found in `tool_result` "
                    f"blocks: {found}. Each `tool_result` block must have a corresponding "
                    "`tool_use` block in the previous message."
                )
        before = turn


@BOOK.refuses("A26")
def results_not_first(r: Request) -> Refusals:
    for i, turn in enumerate(turns(r)):
        kinds = [block.get("type") for block in turn["content"]]
        count = kinds.count("tool_result")
        if turn["role"] == "user" and kinds[:count] != ["tool_result"] * count:
            yield Refusal(
                f"messages.{i}: Did not find {count} tool_result block(s) at the beginning of this "
                "message."
            )


@BOOK.refuses("A24")
def use_without_result(r: Request) -> Refusals:
    following = [*turns(r)[1:], {"content": []}]
    for i, (turn, after) in enumerate(zip(turns(r), following, strict=True)):
        missing = set(_uses(turn)) - set(_results(after))
        if missing:
            yield Refusal(
                f"messages.{i}: `tool_use` ids were found without `tool_result` blocks immediately "
                f"after: {', '.join(sorted(missing))}."
            )
        kinds = [block.get("type") for block in turn["content"]]
        if "tool_use" in kinds and set(kinds[kinds.index("tool_use") :]) != {"tool_use"}:
            yield Refusal(f"messages.{i}: only tool_use blocks may follow a tool_use block")


@BOOK.refuses("A31")
def tools_of_history(r: Request) -> Refusals:
    if not r.tools and any(b.get("type") in ("tool_use", "tool_result") for _, b in placed(r)):
        yield Refusal("Requests which include `tool_use` or `tool_result` blocks must define tools")


@BOOK.refuses("A44")
def blank_stop(r: Request) -> Refusals:
    for sequence in r.body.get("stop_sequences") or ():
        if not sequence:
            yield Refusal("stop_sequences: each stop sequence must be non-empty")
        if not sequence.strip():
            yield Refusal("stop_sequences: each stop sequence must contain non-whitespace")


def marks(r: Request) -> list[tuple[str, Json]]:
    """Every cache mark but the one at the top, in the order that counts: A47."""
    found: list[tuple[str, Any]] = [(f"tools.{i}", tool) for i, tool in enumerate(r.tools)]
    system = r.body.get("system")
    found += [(f"system.{i}", b) for i, b in enumerate(system if isinstance(system, list) else ())]
    found += list(placed(r))
    return [(where, b["cache_control"]) for where, b in found if b.get("cache_control")]


@BOOK.refuses("A45")
def too_many_marks(r: Request) -> Refusals:
    found = [mark for _, mark in marks(r)]
    total = len(found) + ("cache_control" in r.body)
    if total > 4:
        yield Refusal(f"A maximum of 4 blocks with cache_control may be provided. Found {total}.")
    for mark in found:
        if mark.get("ttl", "5m") not in ("5m", "1h"):
            yield Refusal("cache_control.ephemeral.ttl: Input should be '5m' or '1h'")


@BOOK.refuses("A47")
def marks_out_of_order(r: Request) -> Refusals:
    lifetimes = [mark.get("ttl", "5m") for _, mark in marks(r)]
    if "1h" in lifetimes[lifetimes.index("5m") :] if "5m" in lifetimes else False:
        yield Refusal(
            "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block."
        )
    top = r.body.get("cache_control")
    last = blocks_of(r.messages[-1])[-1:] if r.messages else []
    if top and last and last[0].get("cache_control"):
        own, whole = last[0]["cache_control"].get("ttl", "5m"), top.get("ttl", "5m")
        if own != whole:
            yield Refusal(
                f"Top-level cache_control has ttl='{whole}' but the target block already has "
                f"cache_control with ttl='{own}'"
            )


_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.\w+")
_PHONE = re.compile(r"\+?\d[\d ()-]{7,}\d")


@BOOK.refuses("A48")
def user_is_a_person(r: Request) -> Refusals:
    user = str((r.body.get("metadata") or {}).get("user_id") or "")
    for kind, pattern in (("an email address", _EMAIL), ("a phone number", _PHONE)):
        if pattern.fullmatch(user):
            yield Refusal(f"metadata.user_id: user_id appears to contain {kind}")


@BOOK.refuses("A49")
def long_user(r: Request) -> Refusals:
    if len(str((r.body.get("metadata") or {}).get("user_id") or "")) > 256:
        yield Refusal("metadata.user_id: String should have at most 256 characters")


# --- thinking


@BOOK.refuses("A61")
def unsigned_thinking(r: Request) -> Refusals:
    for where, block in placed(r):
        blank = not block.get("thinking") and not block.get("signature")
        if block.get("type") == "thinking" and blank:
            yield Refusal(f"{where}.thinking: each thinking block must contain thinking")


@BOOK.refuses("A60")
def altered_thinking(r: Request) -> Refusals:
    answers = [i for i, m in enumerate(r.messages) if m.get("role") == "assistant"]
    for i in answers[-1:]:
        for j, block in enumerate(blocks_of(r.messages[i])):
            if block.get("type") not in THINKING:
                continue
            parts = opened(str(block.get("signature") or block.get("data")))
            whole = digest(block.get("thinking", ""))
            if parts is None or (block["type"] == "thinking" and parts[0] != whole):
                where = f"messages.{i}.content.{j}"
                yield Refusal(f"{where}: Invalid `signature` in `thinking` block")
            elif parts[1] != str(j):
                yield Refusal(
                    f"messages.{i}.content.{j}: `thinking` or `redacted_thinking` blocks in the "
                    "latest assistant message cannot be modified. These blocks must remain as they "
                    "were in the original response."
                )


def prefix(r: Request, position: int) -> Any:
    """All that a bound thinking block of the message at this position hangs on."""
    return [r.body.get("system"), r.body.get("tools"), r.messages[:position]]


@BOOK.refuses("A62")
def bound_elsewhere(r: Request) -> Refusals:
    drop = (thinking_of(r).get("block_binding") or {}).get("prefix_mismatch_behavior")
    for i, message in enumerate(r.messages):
        for block in blocks_of(message):
            parts = opened(str(block.get("signature") or block.get("data")))
            bound = parts and parts[2] == r.model and model_of(r).bound and drop != "drop_block"
            if bound and parts and parts[3] != digest(prefix(r, i)):
                yield Refusal(
                    f"messages.{i}: this thinking block is bound to a different conversation"
                )


@BOOK.refuses("A64")
def tool_turn_without_thinking(r: Request) -> Refusals:
    last = turns(r)[-2:]
    if thinking_of(r).get("type") != "enabled" or len(last) < 2 or not _results(last[1]):
        return
    first = last[0]["content"][0].get("type")
    if first not in THINKING:
        yield Refusal(
            f"messages.{len(turns(r)) - 2}.content.0.type: Expected `thinking` or "
            f"`redacted_thinking`, but found `{first}`. When `thinking` is enabled, a final "
            "`assistant` message must start with a thinking block."
        )


@BOOK.refuses("A42")
def citations_with_format(r: Request) -> Refusals:
    cited = any((b.get("citations") or {}).get("enabled") for _, b in placed(r))
    prefilled = bool(r.messages) and r.messages[-1].get("role") == "assistant"
    if "format" in config_of(r) and (cited or prefilled):
        yield Refusal("output_config.format takes neither citations nor a prefill")
