"""`reasoning_effort` in the words of each model family on Bedrock. Pure.

Converse has no field for it that every family takes, so it goes into the model's own fields.
"""

from losi.upstream.claude import is_claude, thinking_fields
from losi.wire import Json


def reasoning_fields(
    model: str, effort: str | None, max_tokens: int, messages: list[Json], *, forced_tool: bool
) -> Json:
    """`additionalModelRequestFields` for the effort; empty when there is nothing to ask for."""
    if is_claude(model):
        return thinking_fields(model, effort, max_tokens, messages, forced_tool=forced_tool)
    return {} if effort is None or effort == "none" else _others(model, effort)


def _others(model: str, effort: str) -> Json:
    if "amazon.nova" in model:
        level = {"minimal": "low", "xhigh": "high", "max": "high"}.get(effort, effort)
        return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": level}}
    return {"reasoning_effort": effort}
