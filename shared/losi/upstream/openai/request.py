"""A chat completion as one provider of OpenAI's format accepts it: what it refuses is not sent.
Pure.

providers.toml says how providers differ. OpenAI's own bounds are from its OpenAPI document,
https://github.com/openai/openai-openapi
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from losi.catalogue.providers import Provider
from losi.upstream.conversation import (
    JSON_INSTRUCTION,
    file_as_text,
    fitting_id,
    fitting_name,
    is_text_file,
    with_instruction,
)
from losi.upstream.turns import after_results, without_blanks
from losi.wire import F, without

if TYPE_CHECKING:
    from losi.wire.chat import GivenCall, Message, Part, Request

#: OpenAI's fields of messages by role, of parts by type, and of tools.
_FIELDS = frozenset({"role", "content", "name"})
_MESSAGE_FIELDS = {
    "assistant": _FIELDS | {"tool_calls", "function_call", "refusal", "audio"},
    "tool": frozenset({"role", "content", "tool_call_id"}),
}
_PART_FIELDS = {
    "text": frozenset({"type", "text"}),
    "image_url": frozenset({"type", "image_url"}),
    "file": frozenset({"type", "file"}),
    "input_audio": frozenset({"type", "input_audio"}),
}
_TOOL_FIELDS = frozenset({"type", "function", "custom"})
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_KEY = 64
_KEYS: tuple[Literal["prompt_cache_key", "safety_identifier"], ...] = (
    "prompt_cache_key",
    "safety_identifier",
)
#: Models that need no signatures.
_UNSIGNED = re.compile(r"gemini-[12]\b")


def request_body(provider: Provider, body: Request) -> Request:
    """The request as this provider accepts it. Fields it is not known to refuse pass through."""
    out: Request = {**body}
    limit = out.pop("max_completion_tokens", None) or out.pop("max_tokens", None)
    out.pop("max_tokens", None)
    if limit is not None:
        out[provider.max_tokens_parameter] = limit
    if (temperature := out.get("temperature")) is not None:
        out["temperature"] = min(temperature, provider.max_temperature)
    for name in _KEYS:
        if len(str(out.get(name) or "")) > _LONGEST_KEY:
            out[name] = hashlib.sha256(str(out[name]).encode()).hexdigest()
    if provider.own_fields_only and (tools := out.get("tools")):
        out["tools"] = [_only(tool, _TOOL_FIELDS) for tool in tools]
    messages = [m for _, m in after_results([("", m) for m in body["messages"]])]
    if _is_json_unspoken(out, messages):
        messages = with_instruction(messages, JSON_INSTRUCTION)
    if not provider.empty_content:
        messages = [m for _, m in without_blanks([("", m) for m in messages])]
    sent = [_message(provider, at, message) for at, message in enumerate(messages)]
    out["messages"] = [
        message for message in sent if provider.empty_content or _has_content(message)
    ]
    if provider.unsigned_calls and not _UNSIGNED.search(out["model"]):
        for message in out["messages"]:
            _sign(message.get("tool_calls") or (), provider.unsigned_calls)
    return out


def _message(provider: Provider, at: int, message: Message) -> Message:
    role = message["role"]
    if "files" in provider.refuses and isinstance(parts := message.get("content"), list):
        where = f"messages[{at}].content"
        parts = [
            file_as_text(f"{where}[{i}]", part) if is_text_file(part) else part
            for i, part in enumerate(parts)
        ]
        message = {**message, "content": parts}
    if provider.own_fields_only:
        known = _MESSAGE_FIELDS.get(role, _FIELDS) | provider.message_fields
        message = _only(message, known)
        if isinstance(content := message.get("content"), list):
            message["content"] = [_part(part) for part in content]
        if isinstance(name := message.get("name"), str):
            message["name"] = _NOT_IN_NAMES.sub("_", name)
    sent = without(message, provider.refused_message_fields)
    if role == "developer" and not provider.developer_role:
        sent["role"] = "system"
    if isinstance(call_id := sent.get("tool_call_id"), str):
        sent["tool_call_id"] = _call_id(provider, call_id)
    if calls := sent.pop("tool_calls", None):  # an empty list is refused, none is what it means
        sent["tool_calls"] = [_call(provider, call) for call in calls]
    return sent


def _part(part: Part) -> Part:
    return _only(part, _PART_FIELDS.get(part["type"], frozenset(part)))


def _call(provider: Provider, call: GivenCall) -> GivenCall:
    call = {**call, "id": _call_id(provider, call["id"])}
    if function := call.get("function"):
        call["function"] = {**function, "name": fitting_name(function["name"])}
    return call


def _sign(calls: Sequence[GivenCall], signature: str) -> None:
    """Sign calls that the provider did not make, or whose signature the client dropped."""
    for call in calls:
        google = (call.get("extra_content") or {}).get("google") or {}
        if not google.get("thought_signature"):
            call["extra_content"] = {"google": {**google, "thought_signature": signature}}


def _call_id(provider: Provider, call_id: str) -> str:
    if provider.tool_call_ids is None:
        return call_id
    return fitting_id(call_id, re.compile(provider.tool_call_ids))


def _only(fields: F, known: frozenset[str]) -> F:
    return without(fields, fields.keys() - known)


def _has_content(message: Message) -> bool:
    return bool(message.get("content") or message.get("tool_calls"))


def _is_json_unspoken(body: Request, messages: list[Message]) -> bool:
    """OpenAI requires the word "json" in a message if any JSON object is asked for."""
    form = body.get("response_format")
    if form is None or form["type"] != "json_object":
        return False
    return not any("json" in _text(message.get("content")).lower() for message in messages)


def _text(content: str | list[Part] | None) -> str:
    if isinstance(content, str):
        return content
    return " ".join(str(part.get("text", "")) for part in content or ())
