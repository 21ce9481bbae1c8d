"""From the caller's request to the body one route is sent."""

from typing import Any

from losi.catalogue.models import Model, Route
from losi.catalogue.providers import providers
from losi.chat.request import ChatRequest
from losi.errors import InvalidRequestError
from losi.upstream.routing import Prepared

Json = dict[str, Any]

#: Ours to decide at each provider, whatever the caller said.
_TRANSPORT = ("stream", "stream_options")


def prepare(request: ChatRequest, model: Model, route: Route) -> Prepared:
    """Apply the catalogue: name, defaults, system prompt, parameters the upstream refuses."""
    unsupported = route.unsupported_parameters | providers()[route.provider].unsupported_parameters
    sent = {name: value for name, value in request.body.items() if value is not None}
    dropped = tuple(sorted(unsupported & sent.keys()))
    defaults = {**model.default_parameters, **route.default_parameters}
    if "top_p" in sent:  # to be altered instead of the temperature, not beside our default of it
        defaults.pop("temperature", None)
    body = {
        name: value
        for name, value in {**defaults, **sent}.items()
        if name not in unsupported and name not in _TRANSPORT
    }
    body["model"] = route.model
    # always named, so that no answer is longer than what the ledger's bound reckons with
    limit = min(output_limit(request, model), route.max_output_tokens)
    body["max_completion_tokens" if "max_completion_tokens" in sent else "max_tokens"] = limit
    if model.system_prompt:
        body["messages"] = with_system_prompt(body["messages"], model.system_prompt.strip())
    return Prepared(body, dropped)


def output_limit(request: ChatRequest, model: Model) -> int:
    """Tokens that one choice may have. Raises InvalidRequestError when the caller wants more."""
    asked = request.max_output_tokens
    if asked is not None and asked > model.max_output_tokens:
        param = "max_completion_tokens" if request.params.max_completion_tokens else "max_tokens"
        raise InvalidRequestError(
            f"'{param}' is too large: {asked}. The model '{model.id}' gives at most "
            f"{model.max_output_tokens} tokens in one answer.",
            param=param,
            code="invalid_value",
        )
    return asked or model.max_output_tokens


def with_system_prompt(messages: list[Json], prompt: str) -> list[Json]:
    """The model's own prompt behind the caller's: "appended to it rather than replacing it".

    The last of the leading system or developer messages is extended; without one, a system
    message is put first.
    """
    leading = 0
    while leading < len(messages) and messages[leading]["role"] in ("system", "developer"):
        leading += 1
    if not leading:
        return [{"role": "system", "content": prompt}, *messages]
    own = messages[leading - 1]
    content: str | list[Json]
    if isinstance(own["content"], str):
        content = f"{own['content']}\n\n{prompt}"
    else:
        content = [*own["content"], {"type": "text", "text": prompt}]
    return [*messages[: leading - 1], {**own, "content": content}, *messages[leading:]]


def needed_features(request: ChatRequest) -> set[str]:
    """What a route must be able to do for this request, in the catalogue's words."""
    needed = set()
    if request.params.tools:
        needed.add("tools")
    if request.params.response_format and request.params.response_format.type != "text":
        needed.add("structured_output")
    for message in request.body["messages"]:
        parts = message.get("content")
        if isinstance(parts, list) and any(part.get("type") == "image_url" for part in parts):
            needed.add("vision")
    return needed
