"""What is true of Claude wherever it runs: at Anthropic and on Bedrock. Pure.

Both take the same `thinking` and `output_config`, Bedrock as the model's own fields.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast

from losi.upstream.conversation import invalid

if TYPE_CHECKING:
    from anthropic.types import OutputConfigParam, ThinkingConfigParam

    from losi.wire import JsonObject
    from losi.wire.chat import GivenThinking, Message, Request, ThinkingBlock

#: https://platform.claude.com/docs/en/build-with-claude/extended-thinking names who thinks, and
#: https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking who decides how much.
#: Both sets are closed: every later model thinks adaptively.
_NEVER_THINKS = re.compile(r"claude-(instant|v?2|3(?!-7))")
_THINKS_BY_BUDGET = re.compile(
    r"claude-(3-7|(opus|sonnet|haiku)-4(-[015]\b|-20\d{6}|-v\d|-latest|@|$))"
)

_THINKS_BETWEEN_TOOLS = re.compile(r"claude-sonnet-5-5")
#: Models that are adaptive by default, but still accept a budget.
_TAKES_BUDGET_TOO = re.compile(r"claude-(opus|sonnet)-4-6")
_ALWAYS_THINKS = re.compile(r"claude-(opus-5-5|fable)")

#: The share of the output limit that may be used for thinking.
_BUDGET_SHARES = {"minimal": 0.1, "low": 0.2, "medium": 0.5, "high": 0.8, "xhigh": 0.9, "max": 0.95}
_SMALLEST_BUDGET = 1024


class Thinks(Enum):
    NEVER = auto()
    BY_BUDGET = auto()  # within a number of tokens
    ADAPTIVELY = auto()  # as much as the model sees fit for an effort


Effort = Literal["low", "medium", "high", "xhigh", "max"]


class ThinkingFields(TypedDict, total=False):
    thinking: ThinkingConfigParam
    output_config: OutputConfigParam


def is_claude(model: str) -> bool:
    return "claude" in model


def not_thinking(model: str) -> ThinkingFields:
    """What keeps a model that thinks adaptively from thinking, as far as it lets itself be kept.

    https://platform.claude.com/docs/en/models/sonnet-5-5/whats-new-sonnet-5-5
    """
    if _ALWAYS_THINKS.search(model):
        return {"output_config": {"effort": "low"}}
    if _THINKS_BETWEEN_TOOLS.search(model):
        return {"thinking": {"type": "between_tools"}}
    return {"thinking": {"type": "disabled"}}


def fitting_thinking(model: str, given: JsonObject, max_tokens: int) -> ThinkingFields:
    """The caller's own `thinking` in the fields that the model takes: its own, else the nearest.

    https://platform.claude.com/docs/en/models/sonnet-5-5/whats-new-sonnet-5-5
    """
    as_given: ThinkingFields = {"thinking": cast("ThinkingConfigParam", given)}
    if thinks(model) is not Thinks.ADAPTIVELY:
        return as_given
    if given.get("type") == "disabled":
        return not_thinking(model)
    if given.get("type") != "enabled" or _TAKES_BUDGET_TOO.search(model):
        return as_given
    budget = given.get("budget_tokens")
    share = budget / max_tokens if isinstance(budget, int) else _BUDGET_SHARES["medium"]
    levels: tuple[Effort, ...] = ("low", "medium", "high")
    effort = min(levels, key=lambda one: abs(_BUDGET_SHARES[one] - share))
    return {
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": effort},
    }


def takes_prefill(model: str) -> bool:
    """Whether a conversation may end with an assistant's message: Claude before 4.6 accepts that.
    https://platform.claude.com/docs/en/api/errors
    """
    return thinks(model) is not Thinks.ADAPTIVELY


def thinks(model: str) -> Thinks:
    if _NEVER_THINKS.search(model):
        return Thinks.NEVER
    return Thinks.BY_BUDGET if _THINKS_BY_BUDGET.search(model) else Thinks.ADAPTIVELY


def thinking_fields(
    model: str, effort: Any, max_tokens: int, messages: list[Message], *, forced_tool: bool
) -> ThinkingFields:
    """`thinking` and `output_config` for an effort; empty if Claude is not to think, or cannot. A
    forced tool rules out thinking, and so does a budget that leaves no room for the answer.
    """
    way = thinks(model)
    if effort in (None, "none") or forced_tool or way is Thinks.NEVER:
        return {}
    if way is Thinks.ADAPTIVELY:
        level: Effort = "low" if effort == "minimal" else effort
        return {"thinking": {"type": "adaptive"}, "output_config": {"effort": level}}
    budget = _budget(effort, max_tokens) if takes_budget(messages) else None
    return {} if budget is None else {"thinking": {"type": "enabled", "budget_tokens": budget}}


def takes_budget(messages: list[Message]) -> bool:
    """Whether a model may be given a budget now. Anthropic refuses one if the answer has begun:
    with a prefill, or with tool results whose calls came back without their thinking.
    """
    spoken = [message for message in messages if not _is_empty_answer(message)]
    answers = [i for i, message in enumerate(spoken) if message["role"] == "assistant"]
    if not answers:
        return True
    after = spoken[answers[-1] + 1 :]
    in_tool_loop = any(message["role"] == "tool" for message in after)
    return bool(after) and not (in_tool_loop and not _begins_with_thinking(spoken, answers[-1]))


def _begins_with_thinking(messages: list[Message], last: int) -> bool:
    """Whether the assistant's turn that ends with message `last` begins with its thinking."""
    first = last
    while first and messages[first - 1]["role"] == "assistant":
        first -= 1
    return bool(messages[first].get("thinking_blocks"))


def _is_empty_answer(message: Message) -> bool:
    said = message.get("content") or message.get("refusal") or message.get("tool_calls")
    return message["role"] == "assistant" and not said


def _budget(effort: Any, max_tokens: int) -> int | None:
    """Tokens to think with, which count towards `max_tokens`; None if no room is left to answer."""
    if effort not in _BUDGET_SHARES:
        invalid("reasoning_effort", f"Use 'none' or one of {', '.join(_BUDGET_SHARES)}.")
    budget = max(_SMALLEST_BUDGET, int(max_tokens * _BUDGET_SHARES[effort]))
    return budget if budget < max_tokens else None


class Sampling(TypedDict, total=False):
    temperature: float
    top_p: float


def sampling(body: Request) -> Sampling:
    """`temperature` or `top_p`: Claude accepts only one of them. A `top_p` of 1 cuts nothing
    off.
    """
    temperature, top_p = body.get("temperature"), body.get("top_p")
    if temperature is not None:
        return {"temperature": min(temperature, 1)}  # OpenAI's range ends at 2, Claude's at 1
    return {"top_p": top_p} if top_p is not None and top_p != 1 else {}


def placed(block: ThinkingBlock, *, text: int, calls: int) -> ThinkingBlock:
    """A thinking block that says what stood before it: characters of text, and calls.

    OpenAI has one text and one list of calls in a message, Claude any order of blocks, and wants
    thoughts back where they stood.
    https://platform.claude.com/docs/en/build-with-claude/extended-thinking#preserving-thinking-blocks
    """
    block = {**block}
    if text:
        block["after_text"] = text
    if calls:
        block["after_calls"] = calls
    return block


def in_order(message: Message) -> list[Message]:
    """An assistant's message in parts, each beginning with the thoughts that were there."""
    blocks = [block for block in message.get("thinking_blocks") or () if isinstance(block, dict)]
    text, calls = message.get("content") or "", message.get("tool_calls") or []
    if not isinstance(text, str) or not any(_place(block) != (0, 0) for block in blocks):
        return [message]
    thoughts: list[GivenThinking] = []
    parts: list[Message] = [{**message, "thinking_blocks": thoughts}]
    said = called = 0
    for block in blocks:
        until, until_call = _place(block)
        until, until_call = max(said, until), max(called, until_call)
        if text[said:until].strip() or calls[called:until_call]:
            parts[-1] |= {"content": text[said:until], "tool_calls": calls[called:until_call]}
            thoughts = []
            parts.append({"role": "assistant", "content": None, "thinking_blocks": thoughts})
            said, called = until, until_call
        thoughts.append(block)
    parts[-1] |= {"content": text[said:], "tool_calls": calls[called:]}
    return parts


def _place(block: GivenThinking) -> tuple[int, int]:
    text, calls = block.get("after_text", 0), block.get("after_calls", 0)
    return text if isinstance(text, int) else 0, calls if isinstance(calls, int) else 0
