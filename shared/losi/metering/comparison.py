"""Compares the usage that a provider reports with the usage booked here, by day and model."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from losi.catalogue.catalogue import Catalogue
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
        reported, booked = self.reported, self.booked
        return (reported.input_tokens, reported.output_tokens) != (
            booked.input_tokens,
            booked.output_tokens,
        ) or reported.requests not in (None, booked.requests)


def compare(
    provider: str, reported: ProviderUsage, booked: Booked, catalogue: Catalogue
) -> list[Line]:
    """One line for each day and group of models that either side knows, sorted by day."""
    groups = groups_of(provider, catalogue)
    names = {name: group for group in groups for name in group.upstream}
    sums: dict[tuple[date, Group], tuple[Figures, Figures]] = {}
    for (day, name), figures in reported.items():
        group = names.get(name) or names.get(_SNAPSHOT.sub("", name)) or _unknown(name)
        sides = sums.get((day, group), (Figures(figures.requests and 0), Figures()))
        sums[day, group] = (sides[0] + figures, sides[1])
    counts_requests = all(figures.requests is not None for figures in reported.values())
    nothing = Figures() if counts_requests else Figures(None)
    for day, by_code in booked.items():
        for group in groups:
            ours = sum((by_code[code] for code in group.codes if code in by_code), Figures())
            if ours != Figures():
                sums[day, group] = (sums.get((day, group), (nothing, ours))[0], ours)
    in_order = sorted(sums, key=lambda each: (each[0], sorted(each[1].upstream)))
    return [_line(day, group, *sums[day, group]) for day, group in in_order]


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
    tokens = (
        (reported.input_tokens, reported.output_tokens),
        (booked.input_tokens, booked.output_tokens),
    )
    more = [theirs > ours for theirs, ours in zip(*tokens, strict=True) if theirs != ours]
    if reported.requests not in (None, booked.requests):
        more.append((reported.requests or 0) > (booked.requests or 0))
    if True in more:
        yield (
            "they count more: failed and repeated attempts, which the log records and nobody is "
            "billed; test calls of yours with the same key; or usage of accounts deleted since"
        )
    if False in more:
        yield (
            f"the books count more: {', '.join(group.others)} may have answered some"
            if group.others
            else "the books count more: estimates of answers that broke off"
        )
    if more and reported.requests == booked.requests:
        yield "as many requests on both sides: some were estimated"
