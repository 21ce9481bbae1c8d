"""Turns the caller's request into the body that is sent to one route."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, cast, get_args

from losi.catalogue.models import Model, Route
from losi.catalogue.row import Effort
from losi.chat.request import ChatRequest
from losi.errors import InvalidRequestError
from losi.upstream.routing import Prepared
from losi.wire import without

if TYPE_CHECKING:
    from losi.wire.chat import Message, Part, Request, StreamOptions

EFFORTS: tuple[str, ...] = get_args(Effort)
#: For an output limit (tokens) below the key, a default effort is lowered to at most the value.
_SMALL = 1_024
_ROOM = {_SMALL: "none", 4_096: "low"}
#: Extra tokens for the thinking of a model that cannot be stopped from thinking, if the output
#: limit is less than `_SMALL`.
_THINKING_ROOM = 1_024
#: Each provider's client sets these, whatever the caller sent.
_TRANSPORT = ("stream", "stream_options")
Limit: TypeAlias = Literal["max_completion_tokens", "max_tokens"]
#: Formats with a default limit of their own.
_LIMIT_IS_OPTIONAL = ("openai", "openai-responses")
#: A default output limit (tokens) is never cut below this, however full the estimate says the
#: window is.
_LEAST_OUTPUT = 1_024


def prepare(request: ChatRequest, model: Model, route: Route, input_tokens: int = 0) -> Prepared:
    """Apply the catalogue: model name, defaults, system prompt, parameters the upstream refuses.

    `input_tokens` is the estimate of the prompt: it shares the context window with the output.
    """
    provider = route.provider
    sent = _without_empty(request.body)
    defaults = cast("Request", {**model.default_parameters, **route.default_parameters})
    unsupported = route.unsupported_parameters | provider.unsupported({*defaults, *sent})
    # routes that refuse these still honour them: losi.upstream cuts the answer or uses tools
    unsupported -= {"stop", "functions", "function_call"}
    dropped = _header_names(unsupported & sent.keys())
    if "top_p" in sent:  # OpenAI: change temperature or top_p, not both
        defaults.pop("temperature", None)
    both: Request = {**defaults, **sent}
    body = without(both, unsupported.union(_TRANSPORT))
    body["model"] = route.model
    limit = min(output_limit(request, model), route.max_output_tokens)
    room = thinking_room(request, route)
    if request.max_output_tokens is None:
        limit = min(limit, max(_LEAST_OUTPUT, model.context_window - input_tokens))
    if (effort := body.get("reasoning_effort")) is not None:
        if not sent.keys() & {"reasoning_effort", "thinking"}:
            effort = _with_room_to_answer(effort, limit)
        efforts = route.efforts or provider.efforts
        if efforts and effort not in efforts:
            effort = nearest_effort(effort, efforts)
        body["reasoning_effort"] = effort
    if _must_name_limit(request, model, route):
        name: Limit = "max_completion_tokens" if "max_completion_tokens" in sent else "max_tokens"
        body[name] = limit + room
    if options := _stream_options(request, route):
        body["stream_options"] = options
    if model.system_prompt:
        body["messages"] = with_system_prompt(body["messages"], model.system_prompt.strip())
    is_other = body.get("reasoning_effort") != sent.get("reasoning_effort")
    mapped = {"reasoning_effort"} if is_other else ()  # reported only if the caller sent it
    return Prepared(body, dropped, frozenset(mapped), most_text=limit if room else None)


def thinking_room(request: ChatRequest, route: Route) -> int:
    """Extra tokens above the caller's output limit. If that limit is small, and the model thinks
    though nobody asked it to, its thinking must not use up the answer.
    """
    params = request.params
    wants_thought = params.reasoning_effort not in (None, "none") or request.body.get("thinking")
    limit = request.max_output_tokens or _SMALL
    efforts = route.efforts or route.provider.efforts or ("none",)
    return 0 if wants_thought or limit >= _SMALL or "none" in efforts else _THINKING_ROOM


def _must_name_limit(request: ChatRequest, model: Model, route: Route) -> bool:
    """Whether a limit must be sent, because the upstream might otherwise answer more than the
    ledger's bound assumes.

    Without need none is sent: OpenAI refuses a prompt that fits the window if the prompt and the
    limit together do not.
    """
    return (
        request.max_output_tokens is not None
        or route.provider.format not in _LIMIT_IS_OPTIONAL
        or route.max_output_tokens > model.max_output_tokens
    )


def _stream_options(request: ChatRequest, route: Route) -> StreamOptions:
    """The caller's stream options except `include_usage`, which we always ask for."""
    given: StreamOptions = request.body.get("stream_options") or {}
    if route.provider.format != "openai" or not route.provider.stream_options:
        return {}
    return without(given, ("include_usage",))


def _without_empty(body: Request) -> Request:
    """The caller's parameters that have a meaning: without null values, empty lists of tools, and
    choices among none.
    """
    silent = {name for name, value in body.items() if value is None}
    if not body.get("tools"):
        silent |= {"tools", "parallel_tool_calls", "tool_choice"}
    if not body.get("functions"):
        silent |= {"functions", "function_call"}
    return without(body, silent)


def _header_names(dropped: Collection[str]) -> tuple[str, ...]:
    """The dropped names that are safe in a header, sorted; at most as many as fit in it."""
    named = (name for name in dropped if name.isascii() and name.isidentifier())
    return tuple(sorted(name for name in named if len(name) <= 64)[:32])


def _with_room_to_answer(effort: str, limit: int) -> str:
    """Our default effort, lowered where thinking would leave no tokens for the answer."""
    for room, most in _ROOM.items():
        if limit < room:
            return min(effort, most, key=EFFORTS.index)
    return effort


def nearest_effort(effort: str, efforts: Sequence[str]) -> str:
    """The one of `efforts` nearest to what was asked for; the lesser of two equally near.

    Raises InvalidRequestError for an unknown effort.
    """
    if effort not in EFFORTS:
        raise InvalidRequestError(
            f"'reasoning_effort' must be one of {', '.join(EFFORTS)}.",
            param="reasoning_effort",
            code="invalid_value",
        )
    wanted = EFFORTS.index(effort)
    return min(efforts, key=lambda one: (abs(EFFORTS.index(one) - wanted), EFFORTS.index(one)))


def output_limit(request: ChatRequest, model: Model) -> int:
    """The most tokens of one choice. Raises InvalidRequestError if the caller asks for more than
    the model gives.
    """
    wanted = request.max_output_tokens
    if wanted is not None and wanted > model.max_output_tokens:
        param = "max_completion_tokens" if request.params.max_completion_tokens else "max_tokens"
        raise InvalidRequestError(
            f"'{param}' is too large: {wanted}. The model '{model.id}' gives at most "
            f"{model.max_output_tokens} tokens in one answer.",
            param=param,
            code="invalid_value",
        )
    return wanted or model.max_output_tokens


def with_system_prompt(messages: list[Message], prompt: str) -> list[Message]:
    """The messages with the model's own prompt after the caller's: "appended to it rather than
    replacing it".

    The last of the leading system or developer messages is extended; if there is none, a system
    message is put first.
    """
    leading = 0
    while leading < len(messages) and messages[leading]["role"] in ("system", "developer"):
        leading += 1
    if not leading:
        return [{"role": "system", "content": prompt}, *messages]
    own = messages[leading - 1]
    content: str | list[Part]
    before = own["content"]
    if isinstance(before, str):
        content = f"{before}\n\n{prompt}"
    else:
        content = [*(before or ()), {"type": "text", "text": prompt}]
    return [*messages[: leading - 1], {**own, "content": content}, *messages[leading:]]
