"""`reasoning_effort` in the fields of each model family on Bedrock. Pure.

Converse has no field for it that every family accepts, so it goes into the model's own fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict, cast

from losi.upstream.claude import ThinkingFields, is_claude, thinking_fields

if TYPE_CHECKING:
    from losi.wire.chat import Message


class ReasoningConfig(TypedDict):
    """https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html"""

    type: Literal["enabled"]
    maxReasoningEffort: str


class ClaudesChoice(TypedDict, total=False):
    """Claude's own tool choice, of which Converse's fields express the rest.
    https://platform.claude.com/docs/en/agents-and-tools/tool-use/parallel-tool-use
    """

    type: Literal["auto"]
    disable_parallel_tool_use: bool


class ModelFields(ThinkingFields, total=False):
    """`additionalModelRequestFields`: Claude's, Nova's, and those of the others."""

    tool_choice: ClaudesChoice
    reasoningConfig: ReasoningConfig
    reasoning_effort: str


def reasoning_fields(
    model: str, effort: str | None, max_tokens: int, messages: list[Message], *, forced_tool: bool
) -> ModelFields:
    """The fields for an effort; empty if nothing is to be asked for."""
    if is_claude(model):
        fields = thinking_fields(model, effort, max_tokens, messages, forced_tool=forced_tool)
        return cast("ModelFields", fields)  # which has these among others
    return {} if effort is None or effort == "none" else _others(model, effort)


def _others(model: str, effort: str) -> ModelFields:
    if "amazon.nova" in model:
        level = {"minimal": "low", "xhigh": "high", "max": "high"}.get(effort, effort)
        return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": level}}
    return {"reasoning_effort": effort}
