"""Small requests that show what a route's upstream really takes, one for each capability that the
catalogue describes. They are sent without the catalogue's adjustments. Pure.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from losi.catalogue.models import Model, Route
from losi.chat.prepare import EFFORTS
from losi.metering import estimate

if TYPE_CHECKING:
    from losi.catalogue.row import Combination
    from losi.wire import JsonSchema
    from losi.wire.chat import FunctionDefinition, Message, Part, Request, ResponseFormat, Tool

#: The output limit of each probe: enough for a model that reasons a little.
OUTPUT_TOKENS = 1_024
_PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_PAGE = base64.b64encode(
    b"%PDF-1.1\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]>>endobj\n"
    b"trailer<</Root 1 0 R>>\n%%EOF\n"
).decode()
_SCHEMA: JsonSchema = {
    "type": "object",
    "properties": {"word": {"type": "string"}},
    "required": ["word"],
    "additionalProperties": False,
}
_LOOK: FunctionDefinition = {"name": "look", "description": "Look a word up", "parameters": _SCHEMA}
_TOOLS: list[Tool] = [{"type": "function", "function": _LOOK}]
_WORD: Part = {"type": "text", "text": "Answer with one word."}
_FORMAT: ResponseFormat = {
    "type": "json_schema",
    "json_schema": {"name": "answer", "schema": _SCHEMA},
}
_Sampling: TypeAlias = Literal[
    "temperature", "top_p", "stop", "seed", "logprobs", "frequency_penalty"
]
_PARAMETERS: dict[_Sampling, Any] = {
    "temperature": 0.5,
    "top_p": 0.5,
    "stop": ["###"],
    "seed": 1,
    "logprobs": True,
    "frequency_penalty": 0.5,
}


@dataclass(frozen=True, slots=True)
class Probe:
    """One request, and the field and word of the catalogue that describe its capability."""

    field: str
    name: str
    body: Request
    #: Whether the route takes it, according to the catalogue.
    expected: bool
    #: Whether the answer is asked for as a stream.
    stream: bool = False


#: (Field, name) of a probe -> None if the upstream took it, else the words of its refusal.
Answers = Mapping[tuple[str, str], str | None]


def probes(model: Model, route: Route) -> Iterator[Probe]:
    """The first is a plain question: if that fails, the other probes prove nothing."""
    plain = _plain(route)
    with_tools: Request = {**plain, "tools": _TOOLS}
    formatted: Request = {**plain, "response_format": _FORMAT}
    image: Part = {"type": "image_url", "image_url": {"url": _PIXEL}}
    file = {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{_PAGE}"}
    seeing: Request = {**plain, "messages": _showing(image)}
    reading: Request = {**plain, "messages": _showing({"type": "file", "file": file})}
    forced: Request = {**with_tools, "tool_choice": "required"}
    features = model.features if route.features is None else route.features
    combined = route.refuses | route.provider.refuses
    yield Probe("", "answers", plain, True)
    yield Probe("features", "tools", with_tools, "tools" in features)
    yield Probe("features", "structured_output", formatted, "structured_output" in features)
    yield Probe("features", "vision", seeing, "vision" in features)
    yield Probe("refuses", "forced_tools", forced, "forced_tools" not in combined)
    if {"tools", "structured_output"} <= features:
        yield from _of_schemas(plain, combined)
    yield Probe("refuses", "files", reading, "files" not in combined)
    unsupported = route.unsupported_parameters | route.provider.unsupported(
        {*_PARAMETERS, "reasoning_effort"}
    )
    for name in _PARAMETERS:
        body: Request = {**plain}
        body[name] = _PARAMETERS[name]
        yield Probe("unsupported_parameters", name, body, name not in unsupported)
    if "reasoning_effort" not in unsupported:
        yield from _of_efforts(route, combined)


def _of_schemas(plain: Request, combined: frozenset[Combination]) -> Iterator[Probe]:
    """For an upstream that takes schemas of the answer at all."""
    formatted: Request = {**plain, "response_format": _FORMAT}
    together: Request = {**formatted, "tools": _TOOLS}
    yield Probe("refuses", "schema_with_tools", together, "schema_with_tools" not in combined)
    streamed = "schema_in_streams" not in combined
    yield Probe("refuses", "schema_in_streams", formatted, streamed, stream=True)


def _of_efforts(route: Route, combined: frozenset[Combination]) -> Iterator[Probe]:
    plain = _plain(route)
    taken = route.efforts or route.provider.efforts or EFFORTS
    for effort in EFFORTS:
        body: Request = {**plain, "reasoning_effort": effort}
        yield Probe("efforts", effort, body, effort in taken)
    thinks = next((effort for effort in taken if effort != "none"), None)
    if thinks is not None:
        body = {**plain, "tools": _TOOLS, "reasoning_effort": thinks}
        yield Probe("refuses", "tools_with_reasoning", body, "tools_with_reasoning" not in combined)


def _plain(route: Route) -> Request:
    plain: Request = {
        "model": route.model,
        "messages": [{"role": "user", "content": [_WORD]}],
        "max_completion_tokens": OUTPUT_TOKENS,
    }
    return plain | cast("Request", route.default_parameters)


def _showing(part: Part) -> list[Message]:
    return [{"role": "user", "content": [_WORD, part]}]


def most_cost(model: Model, route: Route) -> float:
    """The cost of all probes in US dollars at the model's prices, if every answer were as long as
    allowed.
    """
    inputs = [estimate.input_tokens(probe.body) for probe in probes(model, route)]
    dollars = sum(inputs) * model.prices.input + len(inputs) * OUTPUT_TOKENS * model.prices.output
    return dollars / 1_000_000


def is_wrong(probe: Probe, answers: Answers) -> bool:
    """Whether the upstream contradicts the catalogue.

    If it takes what the catalogue omits, that is a choice and not wrong, except for refused
    combinations, which cost a mapping or a route.
    """
    key = (probe.field, probe.name)
    if key not in answers:
        return False
    takes = answers[key] is None
    takes_more = takes and not probe.expected and probe.field == "refuses"
    return takes_more or (probe.expected and not takes)


def corrections(model: Model, route: Route, answers: Answers) -> dict[str, list[str]]:
    """Field of the route -> its corrected values; only fields that are wrong."""
    wrong = [probe for probe in probes(model, route) if is_wrong(probe, answers)]
    found: dict[str, list[str]] = {}
    for field in dict.fromkeys(probe.field for probe in wrong if probe.field):
        of_field = {probe.name: probe for probe in wrong if probe.field == field}
        known = _known(model, route, field)
        refused = {name for name, probe in of_field.items() if probe.expected}
        if field in ("refuses", "unsupported_parameters"):
            found[field] = sorted(known - of_field.keys() | refused)
        else:
            order = EFFORTS if field == "efforts" else sorted(known)
            found[field] = [name for name in order if name in known - refused]
    return found


def _known(model: Model, route: Route, field: str) -> set[str]:
    if field == "efforts":
        return set(route.efforts or route.provider.efforts or EFFORTS)
    if field == "features":
        return set(model.features if route.features is None else route.features)
    return set(getattr(route, field))
