"""What usage cost, summed up as an operator wants to see it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from losi.identity.session import usage_name
from losi.metering.usage import Usage, cost

if TYPE_CHECKING:
    from losi.catalogue.models import Catalogue
    from losi.metering.everyone import Used

_NONE = Usage(0, 0)


class By(StrEnum):
    """What sums may be made of."""

    DAY = "day"
    ACCOUNT = "account"
    KEY = "key"
    MODEL = "model"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Spent:
    """Requests, tokens, and dollars at the catalogue's prices."""

    requests: int = 0
    usage: Usage = _NONE
    dollars: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.requests + other.requests,
            self.usage + other.usage,
            self.dollars + other.dollars,
        )

    def as_json(self) -> dict[str, Any]:
        tokens = {name: n for name, n in asdict(self.usage).items() if name != "estimated"}
        return {"requests": self.requests, **tokens, "cost_usd": round(self.dollars, 6)}


def spent(
    rows: Iterable[Used], by: Sequence[By], catalogue: Catalogue
) -> dict[tuple[str, ...], Spent]:
    """The usage and cost for each combination of names, one name for each of `by`. Days keep their
    order; without days, the most expensive comes first.
    """
    sums: dict[tuple[str, ...], Spent] = {}
    for row in rows:
        model = catalogue.by_code(row.model_code)
        names = tuple(_name(row, each, catalogue) for each in by)
        dollars = cost(model.prices, row.usage) if model else 0.0
        sums[names] = sums.get(names, Spent()) + Spent(row.requests, row.usage, dollars)
    if By.DAY in by:
        return dict(sorted(sums.items()))
    return dict(sorted(sums.items(), key=lambda each: (-each[1].dollars, each[0])))


def _name(row: Used, by: By, catalogue: Catalogue) -> str:
    match by:
        case By.DAY:
            return row.day.isoformat()
        case By.ACCOUNT:
            return f"acct_{row.account_id}"
        case By.KEY:
            return usage_name(row.key_id)
        case By.MODEL:
            model = catalogue.by_code(row.model_code)
            return model.id if model else row.model_code
        case By.PROVIDER:
            return _provider(row.model_code, catalogue)


def _provider(code: str, catalogue: Catalogue) -> str:
    """The books count models: where a model has routes to several providers, all are named.
    Code "sandbox" is its own provider; of a model that is no more none is known.
    """
    model = catalogue.by_code(code)
    if model is None:
        return code if code == "sandbox" else "unknown"
    return " or ".join(sorted({route.provider.id for route in model.routes}))
