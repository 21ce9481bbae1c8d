"""What `losi doctor` asks an upstream, and what it makes of the answers."""

from __future__ import annotations

from typing import Any

import pytest

from losi.catalogue.models import Model, Prices, Route
from losi.chat.prepare import EFFORTS
from losi.chat.probes import Probe, corrections, is_wrong, most_cost, probes
from losi.metering.estimate import input_tokens
from tests.catalogue import CATALOGUE, PROVIDERS
from tests.loose import Json, loose

ALL = frozenset({"tools", "structured_output", "vision", "reasoning"})
SAMPLING = ["temperature", "top_p", "stop", "seed", "logprobs", "frequency_penalty"]


def a_model(features: frozenset[str] = ALL) -> Model:
    return CATALOGUE.models["gpt-4o"].model_copy(
        update={"features": features, "prices": Prices(input=2, output=10)}
    )


def a_route(provider: dict[str, Any] | None = None, **fields: Any) -> Route:
    changed: dict[str, Any] = {
        "refuses": frozenset(),
        "efforts": None,
        "unsupported_parameters": frozenset(),
    }
    of = PROVIDERS["openai"].model_copy(update={**changed, **(provider or {})})
    return Route(provider=of, model="upstream", **fields)


def probes_of(route: Route, model: Model | None = None) -> dict[tuple[str, str], Probe]:
    return {(probe.field, probe.name): probe for probe in probes(model or a_model(), route)}


def expected(route: Route, model: Model | None = None) -> dict[str, bool]:
    return {name: probe.expected for (_, name), probe in probes_of(route, model).items()}


PLAIN: Json = {
    "model": "upstream",
    "messages": [{"role": "user", "content": [{"type": "text", "text": "Answer with one word."}]}],
    "max_completion_tokens": 1_024,
}
SCHEMA: Json = {
    "type": "object",
    "properties": {"word": {"type": "string"}},
    "required": ["word"],
    "additionalProperties": False,
}
TOOLS: Json = {
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "look",
                "description": "Look a word up",
                "parameters": SCHEMA,
            },
        }
    ]
}
FORMAT: Json = {
    "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
}


class TestQuestions:
    def test_there_is_one_for_each_capability_that_the_catalogue_describes(self) -> None:
        assert list(probes_of(a_route())) == [
            ("", "answers"),
            ("features", "tools"),
            ("features", "structured_output"),
            ("features", "vision"),
            ("refuses", "forced_tools"),
            ("refuses", "schema_with_tools"),
            ("refuses", "schema_in_streams"),
            ("refuses", "files"),
            *(("unsupported_parameters", name) for name in SAMPLING),
            *(("efforts", effort) for effort in EFFORTS),
            ("refuses", "tools_with_reasoning"),
        ]
        assert all(expected(a_route()).values())

    @pytest.mark.parametrize(
        ("field", "name", "added"),
        [
            ("", "answers", {}),
            ("features", "tools", TOOLS),
            ("features", "structured_output", FORMAT),
            ("refuses", "forced_tools", {**TOOLS, "tool_choice": "required"}),
            ("refuses", "schema_with_tools", {**TOOLS, **FORMAT}),
            ("refuses", "schema_in_streams", FORMAT),
            ("refuses", "tools_with_reasoning", {**TOOLS, "reasoning_effort": "minimal"}),
            ("efforts", "low", {"reasoning_effort": "low"}),
            ("unsupported_parameters", "temperature", {"temperature": 0.5}),
            ("unsupported_parameters", "top_p", {"top_p": 0.5}),
            ("unsupported_parameters", "stop", {"stop": ["###"]}),
            ("unsupported_parameters", "seed", {"seed": 1}),
            ("unsupported_parameters", "logprobs", {"logprobs": True}),
            ("unsupported_parameters", "frequency_penalty", {"frequency_penalty": 0.5}),
        ],
    )
    def test_each_adds_what_it_asks_for_to_a_plain_one(
        self, field: str, name: str, added: Json
    ) -> None:
        probe = probes_of(a_route())[field, name]

        assert loose(probe.body) == {**PLAIN, **added}
        assert probe.stream == (name == "schema_in_streams")

    @pytest.mark.parametrize(
        ("field", "name", "type_", "begins"),
        [
            ("features", "vision", "image_url", {"url": "data:image/png;base64,iVBOR"}),
            (
                "refuses",
                "files",
                "file",
                {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBER"},
            ),
        ],
    )
    def test_a_picture_and_a_file_are_shown_beside_the_question(
        self, field: str, name: str, type_: str, begins: dict[str, str]
    ) -> None:
        body = loose(probes_of(a_route())[field, name].body)

        [message] = body["messages"]
        question, shown = message["content"]
        assert (message["role"], question) == ("user", PLAIN["messages"][0]["content"][0])
        assert set(shown) == {"type", type_} and shown["type"] == type_
        assert set(shown[type_]) == set(begins)
        assert all(shown[type_][name].startswith(text) for name, text in begins.items())
        assert {**body, "messages": PLAIN["messages"]} == PLAIN

    def test_the_route_s_own_defaults_are_in_each(self) -> None:
        route = a_route(default_parameters={"verbosity": "low"})

        bodies = [loose(probe.body) for probe in probes_of(route).values()]

        assert {body["verbosity"] for body in bodies} == {"low"}


class TestExpectations:
    def test_are_the_model_s_features_or_the_route_s_where_it_has_its_own(self) -> None:
        words = ("tools", "structured_output", "vision")
        tools = frozenset({"tools"})

        of_model = expected(a_route(), a_model(tools))
        of_route = expected(a_route(features=tools))

        for found in (of_model, of_route):
            assert [found[word] for word in words] == [True, False, False]
            assert not {"schema_with_tools", "schema_in_streams"} & set(found)
        assert not any(expected(a_route(features=frozenset()))[word] for word in words)

    @pytest.mark.parametrize(
        "combination",
        [
            *("forced_tools", "schema_with_tools", "schema_in_streams", "files"),
            "tools_with_reasoning",
        ],
    )
    def test_leave_out_what_the_route_or_its_provider_refuses(self, combination: str) -> None:
        refuses = frozenset({combination})

        for route in (a_route(refuses=refuses), a_route({"refuses": refuses})):
            assert [name for name, takes in expected(route).items() if not takes] == [combination]

    @pytest.mark.parametrize("parameter", SAMPLING)
    def test_leave_out_what_neither_takes(self, parameter: str) -> None:
        names = frozenset({parameter})

        for route in (
            a_route(unsupported_parameters=names),
            a_route({"unsupported_parameters": names}),
        ):
            assert [name for name, takes in expected(route).items() if not takes] == [parameter]

    def test_are_the_efforts_of_the_route_before_those_of_its_provider(self) -> None:
        def efforts(route: Route) -> list[str]:
            found = probes_of(route)
            return [
                name
                for (field, name) in found
                if field == "efforts" and found[field, name].expected
            ]

        assert efforts(a_route()) == list(EFFORTS)
        assert efforts(a_route({"efforts": ("low", "high")})) == ["low", "high"]
        both = a_route({"efforts": ("low", "high")}, efforts=("none", "medium"))
        assert efforts(both) == ["none", "medium"]
        body = loose(probes_of(both)["refuses", "tools_with_reasoning"].body)
        assert body["reasoning_effort"] == "medium"

    def test_of_an_upstream_that_never_reasons(self) -> None:
        assert ("refuses", "tools_with_reasoning") not in probes_of(a_route(efforts=("none",)))
        names = frozenset({"reasoning_effort"})
        for route in (
            a_route(unsupported_parameters=names),
            a_route({"unsupported_parameters": names}),
        ):
            assert not {field for field, _ in probes_of(route)} & {"efforts"}


def test_most_cost_is_that_of_the_longest_answers() -> None:
    found = probes_of(a_route())
    inputs = sum(input_tokens(probe.body) for probe in found.values())

    assert most_cost(a_model(), a_route()) == pytest.approx(
        (2 * inputs + 10 * 1_024 * len(found)) / 1_000_000
    )


@pytest.mark.parametrize(
    ("field", "takes_by_the_catalogue", "takes", "wrong"),
    [
        ("features", True, True, False),
        ("features", True, False, True),
        ("features", False, True, False),  # not to offer it is a choice
        ("features", False, False, False),
        ("refuses", True, True, False),
        ("refuses", True, False, True),
        ("refuses", False, True, True),  # it costs a mapping or a route
        ("refuses", False, False, False),
    ],
)
def test_when_the_catalogue_is_wrong(
    field: str, takes_by_the_catalogue: bool, takes: bool, wrong: bool
) -> None:
    probe = Probe(field, "x", {"model": "m", "messages": []}, takes_by_the_catalogue)

    assert is_wrong(probe, {(field, "x"): None if takes else "No."}) == wrong
    assert not is_wrong(probe, {})  # what was not answered proves nothing
    assert not is_wrong(probe, {(field, "y"): "No."})


NO = "It is not supported."


@pytest.mark.parametrize(
    ("route", "answers", "write"),
    [
        (a_route(), {}, {}),
        (a_route(), {("", "answers"): NO}, {}),
        (a_route(), {("features", "vision"): NO}, {"features": sorted(ALL - {"vision"})}),
        (
            a_route(features=frozenset({"vision", "tools"})),
            {("features", "vision"): NO, ("features", "structured_output"): None},
            {"features": ["tools"]},
        ),
        (a_route(), {("refuses", "files"): NO}, {"refuses": ["files"]}),
        (
            a_route(refuses=frozenset({"files", "forced_tools"})),
            {("refuses", "files"): None, ("refuses", "tools_with_reasoning"): NO},
            {"refuses": ["forced_tools", "tools_with_reasoning"]},
        ),
        (
            a_route(unsupported_parameters=frozenset({"seed"})),
            {
                ("unsupported_parameters", "top_p"): NO,
                ("unsupported_parameters", "logprobs"): NO,
                ("unsupported_parameters", "seed"): None,
            },
            {"unsupported_parameters": ["logprobs", "seed", "top_p"]},
        ),
        (
            a_route(),
            {("efforts", "none"): NO, ("efforts", "low"): NO, ("efforts", "max"): None},
            {"efforts": ["minimal", "medium", "high", "xhigh", "max"]},
        ),
        (
            a_route({"efforts": ("none", "high", "low")}),
            {("efforts", "none"): NO, ("efforts", "medium"): None},
            {"efforts": ["low", "high"]},
        ),
        (
            a_route({"efforts": ("none", "high")}, efforts=("low", "medium")),
            {("efforts", "medium"): NO},
            {"efforts": ["low"]},
        ),
    ],
)
def test_what_to_write_instead(
    route: Route, answers: dict[tuple[str, str], str | None], write: dict[str, list[str]]
) -> None:
    assert corrections(a_model(), route, answers) == write
