"""Anthropic's Messages, by model: A1 to A12, A52 to A53. Bedrock says the same of its Claudes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.strict_upstream.rules import Json, Refusal, Request, Rulebook, models, tokens

Refusals = Iterator[Refusal]
BOOK = Rulebook()


@dataclass(frozen=True)
class Claude:
    id: str
    row: Json

    @property
    def forced(self) -> bool:
        return bool(self.row["forced"])

    @property
    def bound(self) -> bool:
        return bool(self.row.get("bound"))

    def thinks(self, thinking: Any) -> bool:
        kind = thinking.get("type") if isinstance(thinking, dict) else None
        return kind in ("enabled", "adaptive") or (kind is None and self.row["unset"] == "on")


def claude(model_id: str) -> Claude | None:
    """By Anthropic's id, dated or not, or by Bedrock's."""
    name = re.sub(r"^(?:(?:us|eu|apac|global|us-gov)\.)?anthropic\.", "", model_id)
    name = re.sub(r"(-\d{8})?(-v\d+(:\d+)?)?$", "", name)
    row = models()["claude"].get(name)
    return None if row is None else Claude(name, row)


def model_of(r: Request) -> Claude:
    model = claude(r.model)
    assert model is not None  # A72 comes first
    return model


def thinking_of(r: Request) -> Json:
    return r.body.get("thinking") or {}


def config_of(r: Request) -> Json:
    return r.body.get("output_config") or {}


def choice_of(r: Request) -> str:
    return str((r.body.get("tool_choice") or {}).get("type", "auto"))


# --- account: A70 to A76


@BOOK.refuses("A76")
def version_and_json(r: Request) -> Refusals:
    version = r.headers.get("anthropic-version")
    if version is None:
        yield Refusal("anthropic-version: header is required")
    elif "," in version:
        yield Refusal(f'anthropic-version: "{version}" is not a valid version')
    if r.body.get("<not json>"):
        yield Refusal("The request body is not valid JSON: unexpected character: line 1 column 1")


@BOOK.refuses("A68")
def large_body(r: Request) -> Refusals:
    if len(r.raw) > 32 * 1024 * 1024:
        message = "Request exceeds the maximum size"
        yield Refusal(message, status=413, type="request_too_large")


@BOOK.refuses("A70")
def two_credentials(r: Request) -> Refusals:
    if "x-api-key" in r.headers and "authorization" in r.headers:
        message = "Both x-api-key and authorization were sent; use one."
        yield Refusal(message, status=401, type="authentication_error")


_STATUSES = {
    403: "permission_error", 409: "conflict_error", 500: "api_error", 504: "timeout_error",
}  # fmt: skip


@BOOK.refuses("A72")
def statuses(r: Request) -> Refusals:
    account = r.account
    if account.key and r.headers.get("x-api-key") != account.key:
        yield Refusal("invalid x-api-key", status=401, type="authentication_error")
    if account.rate_limited:
        message = "This request would exceed your account's rate limit. Please try again later."
        headers = {"retry-after": "2"}
        yield Refusal(message, status=429, type="rate_limit_error", headers=headers)
    if account.overloaded:
        yield Refusal("Overloaded", status=529, type="overloaded_error")
    if account.fails_with:
        kind = _STATUSES[account.fails_with]
        yield Refusal("Internal server error", status=account.fails_with, type=kind)
    if claude(r.model) is None:
        yield Refusal(f"model: {r.model}", status=404, type="not_found_error")


@BOOK.refuses("A71")
def no_credit(r: Request) -> Refusals:
    if not r.account.credit:
        yield Refusal(
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & "
            "Billing to upgrade or purchase credits."
        )


@BOOK.refuses("A74")
def no_retention(r: Request) -> Refusals:
    if not r.account.retention and "fable" in r.model:
        yield Refusal("This model needs the account's data retention to be on.")


# --- by model


@BOOK.refuses("A5")
def kind_of_thinking(r: Request) -> Refusals:
    kind = thinking_of(r).get("type")
    if kind is None or kind in model_of(r).row["thinking"]:
        return
    if kind == "adaptive":
        yield Refusal("adaptive thinking is not supported on this model")
    yield Refusal(f'"thinking.type.{kind}" is not supported for this model')


@BOOK.refuses("A7")
def effort_without_thinking(r: Request) -> Refusals:
    kind, effort = thinking_of(r).get("type"), config_of(r).get("effort")
    careful = model_of(r).id in ("claude-haiku-5-5", "claude-opus-5")
    if effort in ("xhigh", "max") and (kind == "between_tools" or (kind == "disabled" and careful)):
        yield Refusal(f'output_config.effort: "{effort}" is not supported with thinking {kind}')
    if kind == "between_tools" and thinking_of(r).keys() - {"type"}:
        yield Refusal("thinking.between_tools: Extra inputs are not permitted")


@BOOK.refuses("A6")
def budget(r: Request) -> Refusals:
    if thinking_of(r).get("type") == "enabled":
        tokens_ = thinking_of(r).get("budget_tokens", 0)
        if tokens_ < 1024:
            where = "thinking.enabled.budget_tokens"
            yield Refusal(f"{where}: Input should be greater than or equal to 1024")
        if tokens_ >= r.body.get("max_tokens", 0):
            yield Refusal("`max_tokens` must be greater than `thinking.budget_tokens`")


@BOOK.refuses("A10")
def effort(r: Request) -> Refusals:
    asked = config_of(r).get("effort")
    if asked is not None and asked not in model_of(r).row["efforts"]:
        yield Refusal(f'output_config.effort: "{asked}" is not supported by this model')


@BOOK.refuses("A8")
def forced_tool(r: Request) -> Refusals:
    if choice_of(r) not in ("any", "tool"):
        return
    if not model_of(r).forced:
        yield Refusal('tool_choice: type "tool" and "any" are not supported for this model.')
    if thinking_of(r).get("type") == "enabled":
        yield Refusal("Thinking may not be enabled when tool_choice forces tool use.")


_DEFAULTS = {"temperature": 1, "top_p": 1}


@BOOK.refuses("A1")
def sampling(r: Request) -> Refusals:
    takes = model_of(r).row["sampling"]
    for name in ("temperature", "top_p", "top_k"):
        value = r.body.get(name)
        default = takes == "default" and value == _DEFAULTS.get(name)
        if value is not None and takes != "one" and not default:
            yield Refusal(f"`{name}` is deprecated for this model.")


@BOOK.refuses("A4")
def temperature(r: Request) -> Refusals:
    if not 0 <= r.body.get("temperature", 0) <= 1:
        yield Refusal("temperature: range: 0..1")


@BOOK.refuses("A2")
def both_samplings(r: Request) -> Refusals:
    if {"temperature", "top_p"} <= r.body.keys():
        yield Refusal("`temperature` and `top_p` cannot both be specified for this model.")


@BOOK.refuses("A3")
def sampling_while_thinking(r: Request) -> Refusals:
    if thinking_of(r).get("type") not in ("enabled", "adaptive"):
        return
    if r.body.get("temperature", 1) != 1:
        yield Refusal("`temperature` may only be set to 1 when thinking is enabled.")
    if "top_k" in r.body:
        yield Refusal("`top_k` must be unset when thinking is enabled.")


@BOOK.refuses("A9")
def prefill(r: Request) -> Refusals:
    last = r.messages[-1] if r.messages else {}
    if last.get("role") == "assistant" and not model_of(r).row.get("prefill"):
        yield Refusal(
            "This model does not support assistant message prefill. The conversation must end with "
            "a user message."
        )


@BOOK.refuses("A11")
def system_between_turns(r: Request) -> Refusals:
    for i, message in enumerate(r.messages):
        if message.get("role") != "system":
            continue
        if model_of(r).row["system"] == "refused":
            yield Refusal("role 'system' is not supported on this model")
        before = r.messages[i - 1].get("role") if i else None
        after = r.messages[i + 1].get("role") if i + 1 < len(r.messages) else None
        if before != "user" or after not in (None, "assistant"):
            yield Refusal(
                f"messages.{i}: a system message must follow a user turn and be last or stand "
                "before an assistant turn"
            )
        blocks = message.get("content")
        if isinstance(blocks, list):
            for block in blocks:
                if block.get("type") != "text" or "cache_control" in block:
                    yield Refusal(f"messages.{i}.content: a system message holds text only")


@BOOK.refuses("A52")
def no_output(r: Request) -> Refusals:
    wants = (
        r.body.get("stream")
        or thinking_of(r).get("type") == "enabled"
        or "format" in config_of(r)
        or choice_of(r) in ("any", "tool")
    )
    if r.body.get("max_tokens") == 0 and wants:
        yield Refusal("max_tokens: 0 takes no stream, thinking, format or forced tool")


@BOOK.refuses("A12")
def limit_over_the_models(r: Request) -> Refusals:
    asked, most = r.body.get("max_tokens") or 0, model_of(r).row["output"]
    if asked > most:
        yield Refusal(
            f"max_tokens: {asked} > {most}, which is the maximum allowed number of output tokens "
            f"for {r.model}"
        )


@BOOK.refuses("A53")
def over_the_window(r: Request) -> Refusals:
    prompt = tokens([r.body.get("system"), r.body.get("messages"), r.body.get("tools")])
    window = model_of(r).row["window"]
    if prompt > window:
        yield Refusal(f"prompt is too long: {prompt} tokens > {window} maximum")
