"""`reasoning_effort` in the words of each model family on Bedrock. Pure.

Converse has no field for it that every family takes, so it goes into the model's own fields.
"""

import re

from losi.upstream.conversation import thinking_budget
from losi.upstream.format import Json

#: Claude before 4.6 thinks within a budget of tokens; later ones decide themselves how much.
#: https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-adaptive-thinking.html
_BUDGETED_CLAUDE = re.compile(
    r"claude-3-7|claude-(?:opus|sonnet|haiku)-4(?:-[015])?(?:-\d{8}|-v|$)"
)


def reasoning_fields(
    model: str, effort: str | None, max_tokens: int, messages: list[Json], *, forced_tool: bool
) -> Json:
    """`additionalModelRequestFields` for the effort; empty when there is nothing to ask for."""
    if effort is None or effort == "none":
        return {}
    if not is_claude(model):
        return _others(model, effort)
    if forced_tool or _answer_has_begun(messages):
        return {}  # Claude refuses to think then
    if _BUDGETED_CLAUDE.search(model):
        budget = thinking_budget(effort, max_tokens)
        if budget is None:
            return {}
        return {"thinking": {"type": "enabled", "budget_tokens": budget}}
    level = "low" if effort == "minimal" else effort
    return {"thinking": {"type": "adaptive"}, "output_config": {"effort": level}}


def is_claude(model: str) -> bool:
    return "anthropic.claude" in model


def _answer_has_begun(messages: list[Json]) -> bool:
    """By a prefill, or by tool calls that came back without the thinking before them."""
    last = max((i for i, m in enumerate(messages) if m["role"] == "assistant"), default=None)
    if last is None:
        return False
    behind = messages[last + 1 :]
    in_tool_loop = any(message["role"] == "tool" for message in behind)
    return not behind or (in_tool_loop and not messages[last].get("thinking_blocks"))


def _others(model: str, effort: str) -> Json:
    if "amazon.nova" in model:
        level = {"minimal": "low", "xhigh": "high", "max": "high"}.get(effort, effort)
        return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": level}}
    return {"reasoning_effort": effort}
