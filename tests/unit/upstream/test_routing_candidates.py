"""Which of a model's routes can answer a request, in the catalogue's order."""

from typing import Any

import pytest

from losi.catalogue.models import Model, Prices, Route
from losi.upstream.routing import candidates
from tests.catalogue import PROVIDERS

NEEDS_VISION = frozenset({"vision"})


def route(provider: str, **fields: Any) -> Route:
    return Route(provider=PROVIDERS[provider], model=f"{provider}-model", **fields)


def a_model(*routes: Route) -> Model:
    return Model(
        id="m",
        code="m",
        description="A model",
        owned_by="test",
        created=0,
        features=frozenset(),
        plans=frozenset(),
        context_window=1,
        max_output_tokens=1,
        prices=Prices(input=0, output=0),
        routes=routes,
    )


def test_routes_are_chosen_by_what_the_request_needs() -> None:
    blind = route("openai", features=frozenset({"tools"}))
    short = route("bedrock", max_input_tokens=10)
    able = route("anthropic", features=frozenset({"vision"}))

    routes = candidates(a_model(blind, short, able), NEEDS_VISION, (), 1000, test_key=False)

    assert routes == [able]


def test_a_test_key_reaches_only_the_sandbox() -> None:
    routes = candidates(a_model(route("openai")), NEEDS_VISION, (), 10, test_key=True)

    assert [route.provider.id for route in routes] == ["sandbox"]


@pytest.mark.parametrize(("tokens", "taken"), [(99, True), (100, True), (101, False)])
def test_a_route_takes_as_many_tokens_as_it_says(tokens: int, taken: bool) -> None:
    small = route("openai", max_input_tokens=100)
    found = candidates(a_model(small), [], [], tokens, test_key=False)
    assert found == ([small] if taken else [])


def test_what_a_route_refuses_takes_another_unless_it_can_be_asked_for_in_words() -> None:
    chat = route("openai", refuses=frozenset({"tools_with_reasoning", "forced_tools"}))
    other = route("anthropic")

    def chosen(*combinations: str) -> list[Route]:
        return candidates(a_model(chat, other), (), combinations, 10, test_key=False)

    assert chosen("forced_tools") == [chat, other]
    assert chosen("tools_with_reasoning") == [other]
