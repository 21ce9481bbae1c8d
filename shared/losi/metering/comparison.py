"""Compares the usage that a provider reports with the usage booked here, by day and model."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from datetime import date

from losi.catalogue.models import Catalogue
from losi.metering.usage_exports import Figures, ProviderUsage

#: What is booked here, by day: model code -> requests and tokens.
Booked = Mapping[date, Mapping[str, Figures]]

#: A model's name that ends in the date of its snapshot: gpt-4o-2024-11-20,
#: claude-sonnet-4-20250514.
_SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8})$")


@dataclass(frozen=True, slots=True)
class Group:
    """Models of the catalogue that share models of the provider: only their sums can be
    compared.
    """

    upstream: frozenset[str]
    models: tuple[str, ...]
    codes: frozenset[str]
    #: Names of other providers that may have answered requests for these models.
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One day of one group: both sides' figures, and the reasons why they differ ("" if equal)."""

    day: date
    upstream: str
    models: tuple[str, ...]
    reported: Figures
    booked: Figures
    why: str

    @property
    def differs(self) -> bool:
        return any(_surplus(self.reported, self.booked))


def compare(
    provider: str, reported: ProviderUsage, booked: Booked, catalogue: Catalogue
) -> list[Line]:
    """One line for each day and group of models that either side knows, sorted by day."""
    groups = groups_of(provider, catalogue)
    names = {name: group for group in groups for name in group.upstream}
    theirs: dict[tuple[date, Group], Figures] = {}
    for (day, name), figures in reported.items():
        place = day, names.get(name) or names.get(_SNAPSHOT.sub("", name)) or _unknown(name)
        theirs[place] = theirs.get(place, Figures()) + figures
    sums = (
        ((day, group), sum((by_code[code] for code in group.codes if code in by_code), Figures()))
        for day, by_code in booked.items()
        for group in groups
    )
    ours = {place: figures for place, figures in sums if figures != Figures()}
    counts_requests = all(figures.requests is not None for figures in reported.values())
    nothing = Figures() if counts_requests else Figures(None)
    places = sorted({*theirs, *ours}, key=lambda place: (place[0], sorted(place[1].upstream)))
    return [
        _line(*place, theirs.get(place, nothing), ours.get(place, Figures())) for place in places
    ]


def groups_of(provider: str, catalogue: Catalogue) -> list[Group]:
    """The catalogue's models with routes to the provider, joined where they share a model of it."""
    joined: list[tuple[set[str], set[str]]] = []
    for model in catalogue.models.values():
        upstream, ids = {r.model for r in model.routes if r.provider.id == provider}, {model.id}
        for known in [each for each in joined if each[0] & upstream]:
            joined.remove(known)
            upstream, ids = upstream | known[0], ids | known[1]
        if upstream:
            joined.append((upstream, ids))
    return [_group(provider, upstream, ids, catalogue) for upstream, ids in joined]


def _group(provider: str, upstream: set[str], ids: Iterable[str], catalogue: Catalogue) -> Group:
    models = [catalogue.models[id] for id in sorted(ids)]
    others = {route.provider.name for model in models for route in model.routes}
    return Group(
        frozenset(upstream),
        tuple(model.id for model in models),
        frozenset(model.code for model in models),
        tuple(sorted(others - {catalogue.providers[provider].name})),
    )


def _unknown(name: str) -> Group:
    return Group(frozenset({name}), (), frozenset(), ())


def _line(day: date, group: Group, reported: Figures, booked: Figures) -> Line:
    why = "; ".join(_reasons(group, reported, booked))
    return Line(day, ", ".join(sorted(group.upstream)), group.models, reported, booked, why)


def _reasons(group: Group, reported: Figures, booked: Figures) -> Iterator[str]:
    """Likely reasons of a difference, as far as the figures show them; none if there is none."""
    if not group.models:
        yield "no route of the catalogue leads to it: its key is used elsewhere"
        return
    surplus = _surplus(reported, booked)
    if max(surplus) > 0:
        yield (
            "they count more: failed and repeated attempts, which the log records and nobody is "
            "billed; test calls of yours with the same key; or usage of accounts deleted since"
        )
    if min(surplus) < 0:
        yield (
            f"the books count more: {', '.join(group.others)} may have answered some"
            if group.others
            else "the books count more: estimates of answers that broke off"
        )
    if any(surplus) and reported.requests == booked.requests:
        yield "as many requests on both sides: some were estimated"


def _surplus(reported: Figures, booked: Figures) -> list[int]:
    """By how much the provider counts more, figure by figure; 0 for a figure it does not report."""
    return list(map(_more, astuple(reported), astuple(booked)))


def _more(theirs: int | None, ours: int) -> int:
    return 0 if theirs is None else theirs - ours
