"""OpenAI's chat completion request as Anthropic's. Pure: no I/O.

https://platform.claude.com/docs/en/api/messages; docs/decisions/0003-anthropic-translation.md
says what maps to what, and why.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from losi.catalogue.models import Route
from losi.errors import echo
from losi.upstream.anthropic.messages import Conversation, with_cache_control
from losi.upstream.cache_marks import with_fitting_marks
from losi.upstream.claude import (
    Thinks,
    fitting_thinking,
    not_thinking,
    sampling,
    takes_prefill,
    thinking_fields,
    thinks,
)
from losi.upstream.claude_schema import (
    are_loosened,
    format_instruction,
    is_loosened,
    kept_schema,
    tool_schema,
)
from losi.upstream.conversation import (
    allowed_tools,
    answer_schema,
    invalid,
    not_understood,
    with_instruction,
)

if TYPE_CHECKING:
    from typing import Literal

    from anthropic.types import (
        OutputConfigParam,
        ToolChoiceAnyParam,
        ToolChoiceAutoParam,
        ToolChoiceParam,
        ToolChoiceToolParam,
        ToolParam,
    )
    from anthropic.types.message_create_params import MessageCreateParamsBase

    from losi.wire.chat import FunctionDefinition, Message, Request, Tool, ToolChoice

    class Body(MessageCreateParamsBase, total=False):
        """Anthropic's request, with the fields that only older models take, which its SDK therefore
        leaves out. https://platform.claude.com/docs/en/api/messages
        """

        temperature: float
        top_p: float
        top_k: int


#: Anthropic's own parameters, which are passed on unchanged.
_NATIVE = ("cache_control", "top_k")
_SHARED = {"model", "messages", "stop", "temperature", "top_p", "reasoning_effort", "thinking"}
_LIMITS = {"max_tokens", "max_completion_tokens"}
_TOOLS = {"tools", "tool_choice", "parallel_tool_calls"}
_ACCOUNT = {"user", "safety_identifier", "metadata", "service_tier"}
_UNDERSTOOD = frozenset({"response_format", *_SHARED, *_LIMITS, *_TOOLS, *_ACCOUNT, *_NATIVE})


@dataclass(frozen=True, slots=True)
class AnthropicRequest:
    body: Body
    #: For each message, the caller's parameter of each content block (Turn.origins).
    origins: list[list[str]]
    #: The caller's name of the output limit.
    limit_param: str
    #: Parameters that were not sent: Anthropic has no place for them, or others exclude them
    #: (thinking rules out sampling; a forced tool rules out thinking; on newer models
    #: temperature rules out top_p).
    left_out: frozenset[str]
    #: Parameters that were expressed in another way.
    mapped: frozenset[str]


def translate(body: Request, route: Route) -> AnthropicRequest:
    """Translate a request. Raises InvalidRequestError if Anthropic's format cannot express it."""
    marked = with_fitting_marks(body, route.cache_from)
    body = {**marked, "messages": _asked_in_words(marked)}
    prefill = takes_prefill(body["model"])
    conversation = Conversation(body["messages"], prefill=prefill)
    limit_param: Literal["max_completion_tokens", "max_tokens"] = (
        "max_completion_tokens" if body.get("max_completion_tokens") else "max_tokens"
    )
    max_tokens = body.get(limit_param) or route.max_output_tokens
    out: Body = {
        "model": body["model"],
        "max_tokens": max_tokens,
        "messages": [turn.message() for turn in conversation.turns],
    }
    out = with_cache_control(out, body)
    tools, choice = _tools(body, conversation)
    if tools:
        out["tools"] = tools
    if choice is not None:
        out["tool_choice"] = choice
    _add_output_config(out, body)
    _add_thinking(out, body)
    _add_sampling(out, body)
    _add_account(out, body)
    if conversation.system:
        out["system"] = conversation.system
    left_out, mapped = _left_out(body, out), _mapped(body, out)
    origins = [turn.origins for turn in conversation.turns]
    return AnthropicRequest(out, origins, limit_param, left_out, mapped)


def _mapped(body: Request, out: Body) -> frozenset[str]:
    thinking, wanted, tools = out.get("thinking"), body.get("response_format"), body.get("tools")
    silenced = body.get("reasoning_effort") == "none" and thinking != {"type": "disabled"}
    mapped = {
        "response_format": is_loosened(wanted) if wanted else False,
        "tools": are_loosened(tools) if tools else False,
        "reasoning_effort": silenced and thinks(body["model"]) is Thinks.ADAPTIVELY,
        "thinking": bool(body.get("thinking")) and thinking != body["thinking"],
    }
    return frozenset(name for name, is_mapped in mapped.items() if is_mapped)


def _left_out(body: Request, out: Body) -> frozenset[str]:
    effort_sent = _thinking_type(out) == "enabled" or "effort" in out.get("output_config", {})
    sent = {
        "temperature": "temperature" in out,
        "top_p": "top_p" in out or body.get("top_p") == 1,
        "reasoning_effort": effort_sent or body.get("reasoning_effort") == "none",
        "service_tier": "service_tier" in out,
        "top_k": "top_k" in out,
        "metadata": not (body.get("metadata") or {}).keys() - {"user_id"},
    }
    left_out = {
        name for name, is_sent in sent.items() if body.get(name) is not None and not is_sent
    }
    return frozenset(left_out | not_understood(body, _UNDERSTOOD))


def _tools(
    body: Request, conversation: Conversation
) -> tuple[list[ToolParam], ToolChoiceParam | None]:
    tools = [_tool(tool, f"tools[{i}]") for i, tool in enumerate(body.get("tools") or ())]
    choice, parallel = body.get("tool_choice"), body.get("parallel_tool_calls")
    if not tools:
        return _tools_of_history(conversation)
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        tools, choice = allowed_tools(choice, tools)
    return tools, _tool_choice(choice, parallel)


def _tools_of_history(
    conversation: Conversation,
) -> tuple[list[ToolParam], ToolChoiceParam | None]:
    """Tools that the conversation has used: Anthropic wants them declared, even if none may be
    called now.
    """
    tools: list[ToolParam] = [
        {"name": name, "input_schema": {"type": "object"}} for name in conversation.tool_names
    ]
    return tools, {"type": "none"} if tools else None


def _tool(tool: Tool, where: str) -> ToolParam:
    if tool["type"] != "function":
        invalid(
            f"{where}.type",
            f"This model does not take tools of type '{echo(tool['type'])}'. Use 'function'.",
        )
    return with_cache_control(_function_tool(tool["function"]), tool)


def _function_tool(function: FunctionDefinition) -> ToolParam:
    tool: ToolParam = {
        "name": function["name"],
        "input_schema": tool_schema(function.get("parameters") or {}),
    }
    if (description := function.get("description")) is not None:
        tool["description"] = description
    schema = kept_schema(function.get("parameters") or {}) if function.get("strict") else None
    if schema is not None:
        tool["input_schema"] = schema
        tool["strict"] = True
    return tool


def _tool_choice(choice: str | ToolChoice | None, parallel: bool | None) -> ToolChoiceParam | None:
    mapped: ToolChoiceAutoParam | ToolChoiceAnyParam | ToolChoiceToolParam | None = None
    if isinstance(choice, dict):
        if choice.get("type") != "function":
            invalid("tool_choice", "This model takes a tool choice of type 'function' only.")
        mapped = {"type": "tool", "name": choice["function"]["name"]}
    elif choice == "required":
        mapped = {"type": "any"}
    elif choice == "none":
        return {"type": "none"}
    elif choice == "auto":
        mapped = {"type": "auto"}
    if parallel is False:
        # Anthropic says it inside the choice: without one, auto, which never forces a call
        mapped = mapped or {"type": "auto"}
        mapped["disable_parallel_tool_use"] = True
    return mapped


def _add_output_config(out: Body, body: Request) -> None:
    response_format = body.get("response_format")
    if response_format is not None and response_format["type"] == "json_schema":
        schema = kept_schema(answer_schema(response_format))
        if schema is not None:
            out["output_config"] = {"format": {"type": "json_schema", "schema": schema}}


def _asked_in_words(body: Request) -> list[Message]:
    """The messages, with an instruction for a form of answer that structured output cannot give."""
    wanted = body.get("response_format")
    instruction = format_instruction(wanted) if wanted else None
    return with_instruction(body["messages"], instruction) if instruction else body["messages"]


def _add_thinking(out: Body, body: Request) -> None:
    effort = body.get("reasoning_effort")
    forced = "tool_choice" in out and out["tool_choice"]["type"] in ("any", "tool")
    model, messages = body["model"], body["messages"]
    fields = thinking_fields(model, effort, out["max_tokens"], messages, forced_tool=forced)
    if thinks(model) is Thinks.ADAPTIVELY:
        if forced or effort == "none":
            # sent explicitly: some models think by default, and must not with a forced tool
            fields = not_thinking(model)
        elif "thinking" in fields:
            fields["thinking"] = {"type": "adaptive", "display": "summarized"}
    config: OutputConfigParam = out.get("output_config", {})
    config.update(fields.get("output_config", {}))
    if given := body.get("thinking"):
        if not isinstance(given, dict):
            invalid("thinking", "Use an object, such as {'type': 'disabled'}, or reasoning_effort.")
        fields = fitting_thinking(model, given, out["max_tokens"])
        config.update(fields.get("output_config", {}))
    if thinking := fields.get("thinking"):
        if thinking.get("type") == "between_tools" and "effort" in config:
            config["effort"] = "high"
        out["thinking"] = thinking
    if config:
        out["output_config"] = config


def _thinking_type(
    out: Body,
) -> Literal["enabled", "disabled", "between_tools", "adaptive"] | None:
    return out["thinking"].get("type") if "thinking" in out else None


def _add_sampling(out: Body, body: Request) -> None:
    if stop := body.get("stop"):
        out["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    if _thinking_type(out) in ("enabled", "adaptive"):
        return  # refused together with thinking
    if (top_k := body.get("top_k")) is not None:
        out["top_k"] = cast("int", top_k)  # Anthropic says if it is none
    chosen = sampling(body)
    if "temperature" in chosen:
        out["temperature"] = chosen["temperature"]
    if "top_p" in chosen:
        out["top_p"] = chosen["top_p"]


#: What Anthropic recognises as an e-mail address or a telephone number, and refuses.
_PERSONAL = re.compile(r"\S+@\S+|\+?\d[\d ().-]{7,}")
_LONGEST_USER_ID = 256


def _user_id(user: str) -> str:
    """The caller's end-user id, unless it may identify a person."""
    if len(user) <= _LONGEST_USER_ID and not _PERSONAL.fullmatch(user):
        return user
    return f"user_{hashlib.sha256(user.encode(errors='surrogatepass')).hexdigest()[:32]}"


def _add_account(out: Body, body: Request) -> None:
    metadata = body.get("metadata") or {}
    user = body.get("safety_identifier") or body.get("user") or metadata.get("user_id")
    if isinstance(user, str):
        out["metadata"] = {"user_id": _user_id(user)}
    tiers: dict[str, Literal["auto", "standard_only"]] = {
        "auto": "auto",
        "priority": "auto",
        "default": "standard_only",
    }
    if (tier := tiers.get(str(body.get("service_tier")))) is not None:
        out["service_tier"] = tier
