"""The models of the API and their routes to upstream models, read once from models.toml."""

import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from losi.catalogue.plans import Plan, plans
from losi.errors import ModelNotFoundError, ModelNotInPlanError


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Prices(_Row):
    """US dollars per million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached_input: float | None = Field(default=None, ge=0)  # None: as `input`
    cache_write: float | None = Field(default=None, ge=0)  # None: as `input`


class Route(_Row):
    """One way to answer a model: a provider (providers.toml) and its name for the model."""

    provider: str
    model: str
    #: What this upstream can do; a request that needs more takes another route. None: all.
    features: frozenset[str] | None = None
    #: Input estimate, in tokens, up to which the route is taken. None: any length.
    max_input_tokens: int | None = None
    #: Parameters the upstream refuses: dropped, and named in `x-losi-dropped-params`.
    unsupported_parameters: frozenset[str] = frozenset()
    #: Parameters set where the caller did not set them, for this upstream alone.
    default_parameters: Mapping[str, Any] = Field(default_factory=dict)
    #: Most that this upstream gives in one answer, where that is less than the model's limit.
    max_output_tokens: int = 128_000
    #: Seconds: to connect, to a stream's first chunk, between its chunks, for a plain answer.
    #: Claude says nothing while it writes a long tool argument (80 s for 8,000 tokens, seen), nor
    #: does OpenAI while a model reasons: less patience would cut off healthy answers.
    connect_timeout: float = 5.0
    first_chunk_timeout: float = 120.0
    chunk_timeout: float = 300.0
    answer_timeout: float = 600.0


class Model(_Row):
    """A public model id: an alias that outlives the upstream models behind it."""

    id: str
    #: Short name in the ledger's counters: unique, 1-3 characters, never given to another model.
    code: str = Field(pattern=r"^[a-z0-9]{1,3}$")
    description: str
    owned_by: str
    created: int
    features: frozenset[str]
    plans: frozenset[str]
    context_window: int
    max_output_tokens: int
    prices: Prices
    default_parameters: Mapping[str, Any] = Field(default_factory=dict)
    shutdown_date: date | None = None
    #: Appended after the caller's own system messages (the specification's losi-omega).
    system_prompt: str | None = None
    routes: tuple[Route, ...] = Field(min_length=1)

    def to_openai(self) -> dict[str, Any]:
        """OpenAI's model object, with what else a caller wants to know beside it."""
        return {
            "id": self.id,
            "object": "model",
            "created": self.created,
            "owned_by": self.owned_by,
            "description": self.description,
            "features": sorted(self.features),
            "context_window": self.context_window,
            "max_output_tokens": self.max_output_tokens,
            "pricing": self.prices.model_dump(exclude_none=True),
            "shutdown_date": self.shutdown_date.isoformat() if self.shutdown_date else None,
        }


class Catalog:
    """All models, by public id and by ledger code, in the file's order."""

    def __init__(self, models: list[Model]) -> None:
        self._by_id = {model.id: model for model in models}
        self._by_code = {model.code: model for model in models}
        if not len(models) == len(self._by_id) == len(self._by_code):
            raise ValueError("two models of the catalogue share an id or a code")

    def __iter__(self) -> Iterator[Model]:
        return iter(self._by_id.values())

    def of_plan(self, plan: Plan) -> list[Model]:
        return [model for model in self._by_id.values() if plan.name in model.plans]

    def find(self, model_id: str, plan: Plan) -> Model:
        """Raises ModelNotFoundError (404), or ModelNotInPlanError (403) naming plans with it."""
        model = self._by_id.get(model_id)
        if model is None or not model.plans:  # no plan has it: retired, kept for past usage
            known = ", ".join(model.id for model in self.of_plan(plan))
            raise ModelNotFoundError(
                f"The model '{model_id[:64]}' does not exist. Your plan has: {known}.",
                param="model",
            )
        if plan.name not in model.plans:
            having = ", ".join(name for name in plans() if name in model.plans)
            raise ModelNotInPlanError(
                f"The model '{model.id}' is not part of the {plan.name} plan. "
                f"It comes with: {having}.",
                param="model",
            )
        return model

    def by_code(self, code: str) -> Model | None:
        return self._by_code.get(code)


def parse_catalog(text: str) -> Catalog:
    """Read a models.toml; raises pydantic's ValidationError or ValueError naming the mistake."""
    return Catalog([Model.model_validate(row) for row in tomllib.loads(text)["models"]])


@cache
def catalog() -> Catalog:
    return parse_catalog(files("losi.catalogue").joinpath("models.toml").read_text("utf-8"))
