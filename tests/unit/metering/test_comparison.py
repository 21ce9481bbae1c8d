"""A provider's figures beside those of the books, and what their difference is put down to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from losi.catalogue.models import Catalogue
from losi.metering.comparison import Group, Line, compare, groups_of
from losi.metering.usage_exports import Figures
from tests.catalogue import CATALOGUE

DAY, NEXT = date(2026, 11, 23), date(2026, 11, 24)
THEY_MORE = (
    "they count more: failed and repeated attempts, which the log records and nobody is billed; "
    "test calls of yours with the same key; or usage of accounts deleted since"
)
BROKEN_OFF = "the books count more: estimates of answers that broke off"
ESTIMATED = "as many requests on both sides: some were estimated"
#: Model id -> its routes, each a provider and its name for the model.
ROUTES = {
    "small": [("openai", "gpt-small")],
    "fast": [("openai", "gpt-fast"), ("azure", "gpt-fast")],
    "chain-1": [("openai", "a"), ("openai", "b")],
    "chain-2": [("openai", "c"), ("groq", "c")],
    "chain-3": [("openai", "b"), ("openai", "c")],
    "dated": [("openai", "gpt-dated-2025-04-14")],
    "dated-new": [("openai", "gpt-dated")],
    "claude": [("anthropic", "claude-sonnet-4")],
}


def catalogue(routes: Mapping[str, list[tuple[str, str]]]) -> Catalogue:
    """Models with these routes; a model's code is `c` and its place, from 0 on."""
    example = CATALOGUE.models["gpt-4o"]
    providers = {
        id: CATALOGUE.providers["openai"].model_copy(update={"id": id, "name": id.title()})
        for id in ("openai", "azure", "groq", "anthropic")
    }

    def route(provider: str, model: str) -> Any:
        return example.routes[0].model_copy(
            update={"provider": providers[provider], "model": model}
        )

    models = {
        id: example.model_copy(
            update={"id": id, "code": f"c{n}", "routes": tuple(route(*each) for each in ways)}
        )
        for n, (id, ways) in enumerate(routes.items())
    }
    return Catalogue(CATALOGUE.plans, providers, models)


OURS = catalogue(ROUTES)
CODES = {model.id: model.code for model in OURS.models.values()}


def compared(
    reported: Mapping[str, Figures], booked: Mapping[str, Figures], provider: str = "openai"
) -> list[Line]:
    """One day's figures by the provider's names, and by our models' ids."""
    codes = {CODES[id]: figures for id, figures in booked.items()}
    return compare(
        provider, {(DAY, name): figures for name, figures in reported.items()}, {DAY: codes}, OURS
    )


class TestWhatBelongsTogether:
    def test_the_models_of_a_provider_are_joined_where_they_share_one_of_its_models(self) -> None:
        groups = {group.models: group for group in groups_of("openai", OURS)}

        assert set(groups) == {
            ("small",),
            ("fast",),
            ("chain-1", "chain-2", "chain-3"),
            ("dated",),
            ("dated-new",),
        }
        chain = ("chain-1", "chain-2", "chain-3")
        assert groups[chain] == Group(
            upstream=frozenset({"a", "b", "c"}),
            models=chain,
            codes=frozenset(CODES[id] for id in chain),
            others=("Groq",),
        )

    def test_a_provider_without_routes_has_none(self) -> None:
        assert groups_of("anthropic", catalogue({"small": ROUTES["small"]})) == []

    def test_all_of_a_group_is_summed_on_both_sides(self) -> None:
        [line] = compared(
            {"a": Figures(1, 10, 100), "b": Figures(2, 20, 200), "c": Figures(3, 30, 300)},
            {"chain-1": Figures(4, 35, 350), "chain-3": Figures(2, 25, 250)},
        )

        assert line == Line(
            day=DAY,
            upstream="a, b, c",
            models=("chain-1", "chain-2", "chain-3"),
            reported=Figures(6, 60, 600),
            booked=Figures(6, 60, 600),
            why="",
        )
        assert not line.differs

    @pytest.mark.parametrize("snapshot", ["gpt-small-2024-11-20", "gpt-small-20241120"])
    def test_a_snapshot_is_the_model_of_its_route(self, snapshot: str) -> None:
        [line] = compared(
            {snapshot: Figures(5, 1000, 500), "gpt-small": Figures(1, 1, 1)},
            {"small": Figures(6, 1001, 501)},
        )

        assert (line.models, line.upstream, line.differs) == (("small",), "gpt-small", False)

    def test_a_route_to_a_snapshot_is_not_one_to_its_model(self) -> None:
        reported = {
            "gpt-dated-2025-04-14": Figures(1, 2, 3),
            "gpt-dated-2026-01-01": Figures(4, 5, 6),
        }

        lines = compared(reported, {"dated": Figures(1, 2, 3), "dated-new": Figures(4, 5, 6)})

        assert {line.models: line.differs for line in lines} == {
            ("dated",): False,
            ("dated-new",): False,
        }

    @pytest.mark.parametrize("name", ["gpt-small-2024-1-20", "gpt-small-2024", "x-gpt-small"])
    def test_another_name_is_another_model(self, name: str) -> None:
        [line] = compared({name: Figures(5, 1000, 500)}, {})

        assert (line.upstream, line.models, line.booked) == (name, (), Figures())
        assert line.why == "no route of the catalogue leads to it: its key is used elsewhere"
        assert line.differs


def test_days_come_in_their_order_each_with_its_models_by_name() -> None:
    reported = {
        (NEXT, "gpt-small"): Figures(1, 1, 1),
        (DAY, "gpt-small"): Figures(2, 2, 2),
        (DAY, "elsewhere"): Figures(3, 3, 3),
    }
    booked = {NEXT: {CODES["small"]: Figures(1, 1, 1), CODES["fast"]: Figures(7, 7, 7)}, DAY: {}}

    lines = compare("openai", reported, booked, OURS)

    assert [(line.day, line.upstream, line.reported, line.booked) for line in lines] == [
        (DAY, "elsewhere", Figures(3, 3, 3), Figures()),
        (DAY, "gpt-small", Figures(2, 2, 2), Figures()),
        (NEXT, "gpt-fast", Figures(0, 0, 0), Figures(7, 7, 7)),
        (NEXT, "gpt-small", Figures(1, 1, 1), Figures(1, 1, 1)),
    ]


@pytest.mark.parametrize(
    ("reported", "why"),
    [
        (Figures(5, 1000, 500), ""),
        (Figures(6, 1000, 500), THEY_MORE),
        (Figures(5, 1001, 500), f"{THEY_MORE}; {ESTIMATED}"),
        (Figures(5, 1000, 501), f"{THEY_MORE}; {ESTIMATED}"),
        (Figures(4, 1000, 500), BROKEN_OFF),
        (Figures(5, 999, 500), f"{BROKEN_OFF}; {ESTIMATED}"),
        (Figures(5, 1000, 499), f"{BROKEN_OFF}; {ESTIMATED}"),
        (Figures(6, 999, 500), f"{THEY_MORE}; {BROKEN_OFF}"),
        (Figures(0, 0, 0), BROKEN_OFF),
    ],
)
def test_why_they_differ(reported: Figures, why: str) -> None:
    [line] = compared({"gpt-small": reported}, {"small": Figures(5, 1000, 500)})

    assert (line.differs, line.why) == (bool(why), why)


def test_other_providers_may_have_answered_what_this_one_did_not() -> None:
    [line] = compared({"gpt-fast": Figures(1, 1, 1)}, {"fast": Figures(2, 1, 1)})

    assert line.why == "the books count more: Azure may have answered some"


class TestAProviderThatReportsNoRequests:
    def test_its_tokens_alone_are_compared(self) -> None:
        [line] = compared(
            {"claude-sonnet-4": Figures(None, 1000, 500)},
            {"claude": Figures(5, 1000, 500)},
            "anthropic",
        )

        assert (line.reported, line.differs, line.why) == (Figures(None, 1000, 500), False, "")

    def test_how_many_were_estimated_nobody_knows(self) -> None:
        [line] = compared(
            {"claude-sonnet-4": Figures(None, 1000, 400)},
            {"claude": Figures(5, 1000, 500)},
            "anthropic",
        )

        assert (line.differs, line.why) == (True, BROKEN_OFF)

    def test_nor_of_usage_that_it_does_not_report(self) -> None:
        lines = compared(
            {"other": Figures(None, 1, 1)}, {"claude": Figures(5, 1000, 500)}, "anthropic"
        )

        assert [(line.reported, line.booked) for line in lines] == [
            (Figures(None, 0, 0), Figures(5, 1000, 500)),
            (Figures(None, 1, 1), Figures()),
        ]
