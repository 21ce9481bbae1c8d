"""Bedrock's Converse and ConverseStream, by model and parameter: B1 to B9 and B23 to B40."""

import re
from collections.abc import Iterator
from typing import Any

from tests.strict_upstream.claude import BOOK as CLAUDE_BOOK
from tests.strict_upstream.claude import Claude, claude
from tests.strict_upstream.rules import Json, Refusal, Request, Rulebook, models, tokens
from tests.strict_upstream.schemas import bedrock_bounds
from tests.strict_upstream.signatures import opened

BOOK = Rulebook()
Refusals = Iterator[Refusal]

_PROFILE = re.compile(r"(us|eu|apac|global|us-gov)\.")


def family(model_id: str) -> Json | None:
    """The row of a model that is not a Claude."""
    rows = models()["family"].values()
    return next((row for row in rows if row["ids"] in model_id), None)


def claude_of(r: Request) -> Claude | None:
    return claude(r.model)


def extra_of(r: Request) -> Json:
    return r.body.get("additionalModelRequestFields") or {}


def config_of(r: Request) -> Json:
    return r.body.get("inferenceConfig") or {}


def tool_specs(r: Request) -> list[Json]:
    tools = (r.body.get("toolConfig") or {}).get("tools") or []
    return [tool["toolSpec"] for tool in tools if "toolSpec" in tool]


def choice_of(r: Request) -> str:
    choice: Json = (r.body.get("toolConfig") or {}).get("toolChoice") or {"auto": {}}
    return next(iter(choice))


def blocks_of(message: Json) -> list[Json]:
    content = message.get("content")
    return [b for b in content if isinstance(b, dict)] if isinstance(content, list) else []


def blocks(r: Request) -> Iterator[tuple[str, Json]]:
    """Every block of the messages, those within tool results too."""
    for i, message in enumerate(r.messages):
        for j, block in enumerate(blocks_of(message)):
            yield f"messages.{i}.content.{j}", block
            for k, inner in enumerate((block.get("toolResult") or {}).get("content") or ()):
                yield f"messages.{i}.content.{j}.toolResult.content.{k}", inner


def kind(block: Json) -> str:
    return next(iter(block), "")


# --- account and model


_ERRORS = {
    400: "ServiceQuotaExceededException", 403: "AccessDeniedException",
    404: "ResourceNotFoundException", 408: "ModelTimeoutException", 424: "ModelErrorException",
    429: "ThrottlingException", 500: "InternalServerException", 503: "ServiceUnavailableException",
}  # fmt: skip


@BOOK.refuses("B39")
def failures(r: Request) -> Refusals:
    status = 429 if r.account.rate_limited else r.account.fails_with
    if status:
        message = "Too many requests, please wait before trying again."
        yield Refusal(message, status=status, type=_ERRORS[status])


@BOOK.refuses("B33")
def large_body(r: Request) -> Refusals:
    if r.path.endswith("/invoke") and len(r.raw) > 25_000_000:
        yield Refusal(
            "1 validation error detected: Value at 'body' failed to satisfy constraint: Member "
            "must have length less than or equal to 25000000"
        )


@BOOK.refuses("B36")
def only_by_profile(r: Request) -> Refusals:
    if claude_of(r) is not None and not _PROFILE.match(r.model):
        yield Refusal(
            f"Invocation of model ID {r.model} with on-demand throughput isn’t supported. Retry "
            "your request with the ID or ARN of an inference profile that contains this model."
        )


@BOOK.refuses("B35")
def unknown_model(r: Request) -> Refusals:
    model = claude_of(r)
    if model is None and family(r.model) is None:
        yield Refusal("The provided model identifier is invalid.")
    window = model.row["window"] if model else 128_000
    if tokens([r.body.get("system"), r.messages]) > window:
        yield Refusal("Input is too long for requested model.")
    if not r.account.retention:
        yield Refusal("The model is not available in the data retention mode of this account.")


def _as_anthropic(r: Request) -> Request:
    body = {"model": r.model, **extra_of(r)}
    return Request(r.vendor, r.path, r.headers, r.raw, body, r.account)


def judge_claude(r: Request) -> tuple[str, Refusal] | None:
    """What a Claude refuses wherever it runs: kinds of thinking, and efforts beside them."""
    if claude_of(r) is None:
        return None
    for rule_id in ("A5", "A7"):
        refusal = next(CLAUDE_BOOK.predicates[rule_id](_as_anthropic(r)), None)
        if refusal is not None:
            return rule_id, refusal
    return None


# --- tools


@BOOK.refuses("B2")
def shapes_of_tools(r: Request) -> Refusals:
    config = r.body.get("toolConfig")
    if config is not None and not config.get("tools"):
        yield Refusal("toolConfig.tools: Member must have length greater than or equal to 1")
    if choice_of(r) not in ("auto", "any", "tool"):
        yield Refusal("toolConfig.toolChoice: Member must be one of auto, any, tool")
    for spec in tool_specs(r):
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", spec["name"]):
            pattern = "Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+"
            yield Refusal(f"Value '{spec['name']}' at 'toolSpec.name': {pattern}")
        if spec.get("description") == "":
            yield Refusal(
                "toolSpec.description: Member must have length greater than or equal to 1"
            )
    for where, block in blocks(r):
        use = block.get("toolUse") or block.get("toolResult")
        if use and not re.fullmatch(r"[a-zA-Z0-9_.:-]{1,64}", use["toolUseId"]):
            pattern = "Member must satisfy regular expression pattern: [a-zA-Z0-9_.:-]+"
            yield Refusal(f"Value '{use['toolUseId']}' at '{where}.toolUseId': {pattern}")
        if use and "name" in use and not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", use["name"]):
            pattern = "Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+"
            yield Refusal(f"Value '{use['name']}' at '{where}.name': {pattern}")


@BOOK.refuses("B1")
def tools_of_history(r: Request) -> Refusals:
    used = any("toolUse" in block or "toolResult" in block for _, block in blocks(r))
    if used and not r.body.get("toolConfig"):
        yield Refusal(
            "The toolConfig field must be defined when using toolUse and toolResult content blocks."
        )


@BOOK.refuses("B3")
def two_choices(r: Request) -> Refusals:
    choice = extra_of(r).get("tool_choice") or {}
    if "toolChoice" in (r.body.get("toolConfig") or {}) and "type" in choice:
        yield Refusal("The additional field tool_choice conflicts with an existing field.")


@BOOK.refuses("B4")
def forced_tool(r: Request) -> Refusals:
    model = claude_of(r)
    if model is None or choice_of(r) not in ("any", "tool"):
        return
    if not model.forced:
        yield Refusal('tool_choice: type "tool" and "any" are not supported for this model.')
    if (extra_of(r).get("thinking") or {}).get("type") == "enabled":
        yield Refusal("Thinking may not be enabled when tool_choice forces tool use.")


@BOOK.refuses("B6")
def nine_letters(r: Request) -> Refusals:
    if not (family(r.model) or {}).get("short_ids"):
        return
    for _, block in blocks(r):
        use = block.get("toolUse") or block.get("toolResult")
        if use and not re.fullmatch(r"[a-zA-Z0-9]{9}", use["toolUseId"]):
            found = f"Tool call id was {use['toolUseId']}"
            yield Refusal(f"{found} but must be a-z, A-Z, 0-9, with a length of 9.")


def _row(r: Request) -> Json:
    model = claude_of(r)
    return model.row if model else family(r.model) or {}


@BOOK.refuses("B7")
def strict_tools(r: Request) -> Refusals:
    for i, spec in enumerate(tool_specs(r)):
        if "strict" in spec and not _row(r).get("strict", True):
            yield Refusal(f"tools.{i}.custom.strict: Extra inputs are not permitted")


@BOOK.refuses("B8")
def text_format(r: Request) -> Refusals:
    wanted = (r.body.get("outputConfig") or {}).get("textFormat")
    if wanted is not None and not _row(r).get("format", True):
        yield Refusal("This model doesn't support the outputConfig.textFormat field.")


@BOOK.refuses("B9")
def strict_schemas(r: Request) -> Refusals:
    for i, spec in enumerate(tool_specs(r)):
        if spec.get("strict"):
            for found in bedrock_bounds(spec["inputSchema"]["json"]):
                yield Refusal(f"tools.{i}.custom: {found}")


# --- parameters


@BOOK.refuses("B25")
def shapes_of_parameters(r: Request) -> Refusals:
    config = config_of(r)
    for name in ("temperature", "topP"):
        if not 0 <= config.get(name, 0) <= 1:
            yield Refusal(f"inferenceConfig.{name}: Member must be between 0 and 1")
    if config.get("maxTokens", 1) < 1:
        yield Refusal("inferenceConfig.maxTokens: Member must be greater than or equal to 1")
    if len(config.get("stopSequences") or ()) > 2500:
        yield Refusal("inferenceConfig.stopSequences: Member must have length up to 2500")
    pairs = r.body.get("requestMetadata")
    text = r"[a-zA-Z0-9\s:_@$#=/+,.-]"
    if pairs is not None and not 1 <= len(pairs) <= 16:
        yield Refusal("requestMetadata: Member must have 1 to 16 entries")
    for name, value in (pairs or {}).items():
        if not re.fullmatch(text + "{1,256}", name) or not re.fullmatch(text + "{0,256}", value):
            yield Refusal("requestMetadata: Member must satisfy regular expression pattern")
    guardrail = r.body.get("guardrailConfig") or {}
    if not re.fullmatch(r"([a-z0-9]+|arn:.*)?", guardrail.get("guardrailIdentifier", "")):
        yield Refusal("guardrailConfig.guardrailIdentifier: pattern")


@BOOK.refuses("B37")
def other_shapes(r: Request) -> Refusals:
    for block in r.body.get("system") or ():
        if block.get("text") == "":
            yield Refusal("system.0.text: Member must have length greater than or equal to 1")
    for where, block in blocks(r):
        source = (block.get("image") or block.get("document") or {}).get("source") or {}
        if source.get("bytes") == "":
            yield Refusal(f"{where}.source.bytes: Member must have length of at least 1")
    if len(r.body.get("additionalModelResponseFieldPaths") or ()) > 10:
        yield Refusal("additionalModelResponseFieldPaths: Member must have length up to 10")
    if len(str((r.body.get("outputConfig") or {}).get("effort", ""))) > 16:
        yield Refusal("outputConfig.effort: Member must have length up to 16")
    for message in r.messages:
        if message.get("role") not in ("user", "assistant", "system"):
            yield Refusal("messages.role: Member must be one of user, assistant, system")


@BOOK.refuses("B26")
def sampling(r: Request) -> Refusals:
    model, row = claude_of(r), family(r.model) or {}
    refused = row.get("sampling", True) is False or (model and model.row["sampling"] != "one")
    for name, value in (*config_of(r).items(), *extra_of(r).items()):
        if refused and name in ("temperature", "topP", "top_k") and value != 1:
            yield Refusal(f"`{name}` is deprecated for this model.")


@BOOK.refuses("B38")
def limit_over_the_models(r: Request) -> Refusals:
    most = _row(r)["output"]
    if config_of(r).get("maxTokens", 0) > most:
        yield Refusal(f"The maximum tokens you requested exceeds the model limit of {most}.")


_CLAUDE_EXTRA = {
    "anthropic_beta", "cache_control", "output_config", "thinking", "tool_choice", "top_k",
}  # fmt: skip


@BOOK.refuses("B27")
def unknown_extra(r: Request) -> Refusals:
    known = _CLAUDE_EXTRA if claude_of(r) else set((family(r.model) or {}).get("extra", ()))
    for name in sorted(extra_of(r).keys() - known - {"reasoning_effort"}):
        yield Refusal(f"{name}: Extra inputs are not permitted")
    if "reasoning_effort" in extra_of(r) and "reasoning" in known:
        yield Refusal("reasoning_effort: Extra inputs are not permitted")


@BOOK.refuses("B28")
def effort(r: Request) -> Refusals:
    model, row = claude_of(r), family(r.model) or {}
    if model:
        asked = (extra_of(r).get("output_config") or {}).get("effort")
        efforts = model.row["efforts"]
    else:
        asked = extra_of(r).get("reasoning_effort")
        efforts = row.get("efforts", [asked] if "reasoning_effort" in row["extra"] else [])
    if asked is not None and asked not in efforts:
        yield Refusal(f'effort "{asked}" is not supported by this model')


@BOOK.refuses("B29")
def budget(r: Request) -> Refusals:
    thinking = extra_of(r).get("thinking") or {}
    if thinking.get("type") == "enabled" and thinking.get("budget_tokens", 0) < 1024:
        where = "thinking.enabled.budget_tokens"
        yield Refusal(f"{where}: Input should be greater than or equal to 1024")


@BOOK.refuses("B30")
def reasoning_of_claude(r: Request) -> Refusals:
    for _, block in blocks(r):
        if "reasoningContent" in block and claude_of(r) is None:
            yield Refusal("This model doesn't support the reasoningContent field.")
        text = (block.get("reasoningContent") or {}).get("reasoningText") or {}
        if text and opened(str(text.get("signature"))) is None:
            yield Refusal("Invalid `signature` in `thinking` block")


@BOOK.refuses("B53")
def unknown_beta(r: Request) -> Refusals:
    known = {"interleaved-thinking-2025-05-14", "context-1m-2025-08-07"}
    for flag in extra_of(r).get("anthropic_beta") or ():
        if flag not in known:
            yield Refusal("invalid beta flag")


@BOOK.refuses("B23")
def prefill(r: Request) -> Refusals:
    last: Json = r.messages[-1] if r.messages else {}
    if last.get("role") != "assistant":
        return
    model = claude_of(r)
    if model is not None and not model.row.get("prefill"):
        yield Refusal(
            "This model does not support assistant message prefill. The conversation must end with "
            "a user message."
        )
    text: Any = (blocks_of(last)[-1:] or [{}])[0].get("text", "")
    if text != text.rstrip():
        yield Refusal("messages: final assistant content cannot end with trailing whitespace")
