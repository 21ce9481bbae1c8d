"""What a row of each file is when it says no more than it must, and the bounds of its fields."""

from datetime import date
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from losi.catalogue import row
from losi.catalogue.models import Model, Prices, Route
from losi.catalogue.plans import larger_plan
from losi.catalogue.providers import Provider
from tests.catalogue import CATALOGUE, PROVIDERS

PLAN = CATALOGUE.plans["free"]
MODEL: dict[str, Any] = {
    "id": "mine",
    "code": "xm",
    "description": "A model",
    "owned_by": "me",
    "created": 0,
    "features": ["vision", "tools"],
    "plans": ["free"],
    "context_window": 1_000,
    "prices": {"input": 1.0, "output": 2.0},
    "routes": [{"provider": "sandbox", "model": "m"}],
}


def made(**fields: Any) -> Model:
    return Model.model_validate({**MODEL, **fields}, context=PROVIDERS)


def test_a_route_that_says_nothing_takes_everything_and_waits_long() -> None:
    assert Route(provider=PROVIDERS["openai"], model="m").model_dump(exclude={"provider"}) == {
        "model": "m",
        "features": None,
        "max_input_tokens": None,
        "unsupported_parameters": frozenset(),
        "refuses": frozenset(),
        "efforts": None,
        "default_parameters": {},
        "cache_from": None,
        "shutdown_date": None,
        "max_output_tokens": 128_000,
        "connect_timeout": 5.0,
        "first_chunk_timeout": 120.0,
        "chunk_timeout": 300.0,
        "answer_timeout": 600.0,
    }


def test_a_provider_that_says_nothing_is_as_openai_documents_itself() -> None:
    assert Provider(id="mine", name="Mine", format="openai").model_dump() == {
        "id": "mine",
        "name": "Mine",
        "format": "openai",
        "base_url": None,
        "base_url_variable": None,
        "region_variable": None,
        "key_variable": None,
        "key_header": "authorization",
        "key_optional": False,
        "max_tokens_parameter": "max_tokens",
        "stream_options": True,
        "developer_role": False,
        "native_n": True,
        "max_n": None,
        "tools_tokens": 0,
        "blank_stops": True,
        "empty_content": True,
        "own_fields_only": False,
        "strict_schemas": "any",
        "message_fields": frozenset(),
        "refused_message_fields": frozenset(),
        "tool_call_ids": None,
        "unsigned_calls": None,
        "max_temperature": 2.0,
        "efforts": None,
        "parameters": None,
        "unsupported_parameters": frozenset(),
        "refuses": frozenset(),
    }


def test_prices_that_are_not_given() -> None:
    assert Prices(input=1.0).model_dump() == {
        "input": 1.0,
        "output": 0.0,
        "cached_input": None,
        "cache_write": None,
        "cache_write_1h": None,
    }


def test_a_model_is_shown_as_openai_shows_one_with_what_else_a_caller_wants() -> None:
    assert made().to_openai() == {
        "id": "mine",
        "object": "model",
        "created": 0,
        "owned_by": "me",
        "kind": "chat",
        "description": "A model",
        "features": ["tools", "vision"],
        "context_window": 1_000,
        "max_output_tokens": None,
        "pricing": {"input": 1.0, "output": 2.0},
        "shutdown_date": None,
    }
    ends = made(shutdown_date=date(2027, 1, 31), max_output_tokens=5).to_openai()
    assert (ends["shutdown_date"], ends["max_output_tokens"]) == ("2027-01-31", 5)


def test_a_route_alone_knows_no_provider_by_name() -> None:
    with pytest.raises(ValidationError, match="names the unknown provider 'sandbox'"):
        Route.model_validate({"provider": "sandbox", "model": "m"})


def test_lines_and_metrics_name_a_route_by_provider_and_model() -> None:
    assert made().routes[0].path == "sandbox/m"


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (row.Text, ["a"], ["", 1, None]),
        (row.Flag, [True, False], [1, "true"]),
        (row.Count, [1], [0, -1, 1.0, "1", True]),
        (row.Dollars, [0, 0.5], [-0.1, float("inf"), float("nan"), "1"]),
        (row.Seconds, [0.001, 1], [0, -1, float("inf"), "1"]),
        (row.Names, [[], ["a"]], ["a", [1]]),
        (row.Name, ["a", "a" * 32, "a_-9"], ["", "A", "9", "a" * 33, "a b"]),
        (row.Url, ["https://a.example", "http://a"], ["ftp://a", "a", "https://", "https://a b"]),
        (row.Variable, ["A", "A_9"], ["", "a", "9A", "_A", "A-B"]),
        (row.Efforts, [["low"]], [[], ["lots"], "low"]),
        (row.Features, [[], ["tools"]], [["tool"], "tools"]),
        (row.Combinations, [["files"]], [["file"]]),
    ],
)
def test_a_field_holds_what_its_description_says(
    kind: Any, right: list[Any], wrong: list[Any]
) -> None:
    adapter = TypeAdapter(kind)

    for value in right:
        adapter.validate_python(value)
    for value in wrong:
        with pytest.raises(ValidationError):
            adapter.validate_python(value)


@pytest.mark.parametrize(
    ("field", "right", "wrong"),
    [
        ("id", ["a" * 64, "9", "A.b:c/d-e_f"], ["", "a" * 65, "-a", "a b"]),
        ("code", ["a", "9ab"], ["", "abcd", "A"]),
        ("created", [0, 1], [-1, 1.0, "1"]),
        ("max_output_tokens", [0, 1], [-1, 1.0, "1"]),
        ("shutdown_date", [None, date(2027, 1, 31)], ["soon"]),
        ("routes", [MODEL["routes"], MODEL["routes"] * 2], [[]]),
    ],
)
def test_a_models_own_fields(field: str, right: list[Any], wrong: list[Any]) -> None:
    for value in right:
        made(**{field: value})
    for value in wrong:
        with pytest.raises(ValidationError):
            made(**{field: value})


def test_temperatures_go_up_to_two() -> None:
    for right in (0, 0.5, 2):
        Provider(id="mine", name="M", format="openai", max_temperature=right)
    for wrong in (-0.1, 2.1):
        with pytest.raises(ValidationError):
            Provider(id="mine", name="M", format="openai", max_temperature=wrong)


def test_a_provider_takes_what_it_lists_and_not_what_it_refuses() -> None:
    anything = Provider(
        id="mine", name="M", format="openai", unsupported_parameters=frozenset(("seed",))
    )
    listed = anything.model_copy(update={"parameters": frozenset(("n", "seed"))})

    assert anything.unsupported(["n", "seed", "user"]) == {"seed"}
    assert listed.unsupported(["n", "seed", "user"]) == {"seed", "user"}
    assert listed.unsupported(["n"]) == frozenset()


@pytest.mark.parametrize(
    ("fields", "most"), [({}, 128), ({"native_n": False}, 8), ({"max_n": 4}, 4)]
)
def test_the_most_choices_of_a_provider(fields: dict[str, Any], most: int) -> None:
    assert Provider(id="mine", name="M", format="openai", **fields).most_choices == most


def test_where_a_providers_credentials_are() -> None:
    keyed = Provider(id="mine", name="M", format="openai", key_variable="LOSI_M_KEY")

    assert keyed.credentials == "LOSI_M_KEY"


def test_the_next_plan_is_the_smallest_that_has_enough() -> None:
    plans = [PLAN.model_copy(update={"name": name, "keys": keys})
             for name, keys in (("big", 9), ("small", 2), ("middle", 5))]  # fmt: skip

    assert [plan and plan.name for plan in (larger_plan(plans, "keys", n) for n in (3, 5, 6))] == [
        "middle",
        "middle",
        "big",
    ]
    assert larger_plan(plans, "keys", 10) is None
