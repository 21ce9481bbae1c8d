"""What a request needs of a model, and which of the model's routes can provide it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from losi.catalogue.models import Model, Route
from losi.chat.request import ChatRequest
from losi.errors import InvalidRequestError
from losi.upstream.conversation import is_text_file
from losi.upstream.routing import candidates

_WORDS = {
    "vision": "images",
    "tools": "tools",
    "structured_output": "a JSON schema for its answer",
    "files": "files",
    "tools_with_reasoning": "tools while it reasons",
}


@dataclass(frozen=True, slots=True)
class Needs:
    """The catalogue's word for each need -> the parameter that asks for it."""

    #: Must be among the `features` of the model and the route.
    features: dict[str, str]
    #: Must not be among the `refuses` of the route.
    combinations: dict[str, str]

    @classmethod
    def of(cls, request: ChatRequest) -> "Needs":
        features, combinations = dict[str, str](), dict[str, str]()
        params, body = request.params, request.body
        tools = "tools" if params.tools else "functions" if body.get("functions") else None
        if tools:
            features["tools"] = tools
            if params.reasoning_effort not in (None, "none"):
                combinations["tools_with_reasoning"] = "reasoning_effort"
        if params.response_format and params.response_format.type == "json_schema":
            features["structured_output"] = "response_format"
        for i, message in enumerate(body["messages"]):
            parts = message.get("content")
            for j, part in enumerate(parts if isinstance(parts, list) else ()):
                where = f"messages[{i}].content[{j}]"
                if part.get("type") == "image_url":
                    features.setdefault("vision", where)
                if part.get("type") == "file" and not is_text_file(part):
                    combinations.setdefault("files", where)
        return cls(features, combinations)


def routes_for(
    request: ChatRequest,
    model: Model,
    others: Iterable[Model],
    input_tokens: int,
    *,
    test_key: bool,
) -> list[Route]:
    """The routes of the model that can answer the request, in the catalogue's order.

    Raises InvalidRequestError (400) that names the parameter no route takes, and which of the
    `others` take it.
    """
    needs = Needs.of(request)
    routes = _able(model, needs, input_tokens, test_key=test_key)
    if not routes:
        _refuse_needs(model, others, needs, input_tokens)
    return _with_room_for(request.n, model, routes)


def _refuse_needs(
    model: Model, others: Iterable[Model], needs: Needs, input_tokens: int
) -> NoReturn:
    """Name the need that no route takes by itself, else the length of the prompt."""
    able = [other.id for other in others if _able(other, needs, input_tokens, test_key=False)] or [
        "none of your plan"
    ]
    for lacking, param in {**needs.features, **needs.combinations}.items():
        alone = Needs(
            {lacking: param} if lacking in needs.features else {},
            {lacking: param} if lacking in needs.combinations else {},
        )
        if not _able(model, alone, 0, test_key=False):
            _refuse(model, f"does not take {_WORDS[lacking]}", param, able)
    needed = " with ".join(_WORDS[name] for name in (*needs.features, *needs.combinations))
    beside = f" with {needed}" if needed else ""
    _refuse(model, f"does not take {input_tokens:,} input tokens{beside}", "messages", able)


def _with_room_for(n: int, model: Model, routes: list[Route]) -> list[Route]:
    """The routes whose providers give `n` choices at once. Raises InvalidRequestError if none
    does.
    """
    most = max(route.provider.most_choices for route in routes)
    if n > most:
        raise InvalidRequestError(
            f"'n' is too large: {n}. The model '{model.id}' gives at most {most} choices at once. "
            "Lower n, or send several requests.",
            param="n",
            code="invalid_value",
        )
    return [route for route in routes if n <= route.provider.most_choices]


def _able(model: Model, needs: Needs, input_tokens: int, *, test_key: bool) -> list[Route]:
    if not model.features.issuperset(needs.features):
        return []
    return candidates(model, needs.features, needs.combinations, input_tokens, test_key=test_key)


def _refuse(model: Model, reason: str, param: str, able: list[str]) -> NoReturn:
    raise InvalidRequestError(
        f"The model '{model.id}' {reason}. Models that do: {', '.join(able)}.",
        param=param,
        code="unsupported_request",
    )
