"""Models and their routes to upstream models (tables of models.toml), and the catalogue of all that
finds the model a caller names.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo

from losi.catalogue.plans import Plan
from losi.catalogue.providers import Provider
from losi.catalogue.row import (
    MOST,
    Combinations,
    Count,
    Dollars,
    Efforts,
    Features,
    Names,
    Parameters,
    Row,
    Seconds,
    Text,
    instead,
)
from losi.errors import ModelNotFoundError, ModelNotInPlanError

Kind = Literal["chat", "embedding"]
#: What a model of each kind answers, and at which endpoint.
_ENDPOINTS = {
    "chat": ("chat completions", "POST /api/v1/chat/completions"),
    "embedding": ("embeddings", "POST /api/v1/embeddings"),
}


class Prices(Row):
    """US dollars per million tokens."""

    input: Dollars
    output: Dollars = 0.0  # required for chat models; embedding models have none
    cached_input: Dollars | None = None  # None: as `input`
    cache_write: Dollars | None = None  # None: as `input`
    #: None: twice `input`, as Anthropic and Bedrock ask for it.
    #: https://platform.claude.com/docs/en/build-with-claude/prompt-caching#pricing
    cache_write_1h: Dollars | None = None


def _provider(value: object, info: ValidationInfo) -> Provider:
    """The provider with the name in the file; `context` has all of them by name."""
    known: Mapping[str, Provider] = info.context or {}
    if isinstance(value, Provider):
        return value
    if isinstance(value, str) and value in known:
        return known[value]
    raise ValueError(f"names the unknown provider {value!r}. {instead(str(value), known)}")


class Route(Row):
    """One way to answer a model: a provider and its name for the model."""

    provider: Annotated[
        Provider, BeforeValidator(_provider), Field(description="the name of a provider")
    ]
    model: Text
    #: What this upstream supports; a request that needs more takes another route. None: everything.
    features: Features | None = None
    #: Input estimate, in tokens, up to which the route is taken. None: any length.
    max_input_tokens: Count | None = None
    #: Parameters the upstream refuses: they are dropped, and named in `x-losi-dropped-params`.
    unsupported_parameters: Names = frozenset()
    #: Combinations the upstream refuses. The request is rewritten if that keeps its meaning (a
    #: forced tool is asked for in words), else it takes another route.
    refuses: Combinations = frozenset()
    #: The values of `reasoning_effort` that it accepts; the nearest one is sent. None: all.
    efforts: Efforts | None = None
    #: Parameters for this upstream only, set if the caller did not set them.
    default_parameters: Parameters = Field(default_factory=dict)
    #: From this many tokens on, a stable prefix (tools, system prompt, conversation so far) is
    #: marked for the prompt cache, if the caller marks nothing. None: never.
    cache_from: Count | None = None
    #: The day from which the vendor's upstream model refuses requests.
    shutdown_date: Annotated[
        date | None, Field(strict=True, description="a date such as 2027-01-31, without quotes")
    ] = None
    #: The most tokens of one answer of this upstream, if fewer than the model's limit.
    max_output_tokens: Count = 128_000
    #: Seconds: to connect, to a stream's first chunk, between its chunks, for a plain answer.
    #: Claude sends nothing while it writes a long tool argument (80 s for 8,000 tokens, seen), nor
    #: does OpenAI while a model reasons: shorter timeouts would cut off healthy answers.
    connect_timeout: Seconds = 5.0
    first_chunk_timeout: Seconds = 120.0
    chunk_timeout: Seconds = 300.0
    answer_timeout: Seconds = 600.0

    @property
    def path(self) -> str:
        """The route's name in log lines and metrics: `openai/gpt-4o`."""
        return f"{self.provider.id}/{self.model}"


class Model(Row):
    """A public model id: an alias that outlives its upstream models."""

    id: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$",
            description="at most 64 letters, digits and . _ : / -",
        ),
    ]
    kind: Annotated[Kind, Field(description='"chat" or "embedding"')] = "chat"
    #: Short name in the ledger's counters: unique, and never reused for another model.
    code: Annotated[
        str,
        Field(pattern=r"^[a-z0-9]{1,3}$", description="one to three small letters or digits"),
    ]
    description: Text
    owned_by: Text
    created: Annotated[
        int,
        Field(
            strict=True,
            ge=0,
            le=MOST,
            description="a time as a whole number, in seconds since 1970",
        ),
    ]
    features: Features
    plans: Annotated[
        frozenset[str], Field(description='a list of names of plans, such as ["pro", "ultra"]')
    ]
    context_window: Count
    max_output_tokens: Annotated[
        int,
        Field(strict=True, ge=0, le=MOST, description="a whole number of tokens, without quotes"),
    ] = 0  # required for chat models; embedding models have none
    prices: Annotated[Prices, Field(description="a table, such as { input = 2.5, output = 10.0 }")]
    default_parameters: Parameters = Field(default_factory=dict)
    shutdown_date: Annotated[
        date | None, Field(strict=True, description="a date such as 2027-01-31, without quotes")
    ] = None
    #: Appended after the caller's own system messages (the specification's losi-omega).
    system_prompt: Text | None = None
    routes: Annotated[
        tuple[Route, ...],
        Field(
            min_length=1,
            description='a list of routes, such as [{ provider = "openai", model = "gpt-4o" }]',
        ),
    ]

    def to_openai(self) -> dict[str, Any]:
        """OpenAI's model object, with further fields that callers want to know."""
        return {
            "id": self.id,
            "object": "model",
            "created": self.created,
            "owned_by": self.owned_by,
            "kind": self.kind,
            "description": self.description,
            "features": sorted(self.features),
            "context_window": self.context_window,
            "max_output_tokens": self.max_output_tokens or None,
            "pricing": self.prices.model_dump(exclude_none=True),
            "shutdown_date": self.shutdown_date.isoformat() if self.shutdown_date else None,
        }


@dataclass(frozen=True)
class Catalogue:
    """Plans, providers and models by id, in the files' order; `losi.catalogue.loader` checked
    them.
    """

    plans: Mapping[str, Plan]
    providers: Mapping[str, Provider]
    models: Mapping[str, Model]

    @cached_property
    def _by_code(self) -> dict[str, Model]:
        return {model.code: model for model in self.models.values()}

    def by_code(self, code: str) -> Model | None:
        """The model that the ledger counts under this code; None if it no longer exists."""
        return self._by_code.get(code)

    def of_plan(self, plan: Plan, kind: Kind | None = None) -> Iterator[Model]:
        """The plan's models; with `kind`, only those of that kind."""
        for model in self.models.values():
            if plan.name in model.plans and kind in (None, model.kind):
                yield model

    def find(self, model_id: str, plan: Plan, kind: Kind | None = None) -> Model:
        """The model with this id (and kind, if one is given).

        Raises ModelNotFoundError (404) that names the plan's models, or ModelNotInPlanError (403)
        that names plans with the model.
        """
        model = self.models.get(model_id)
        if model is None or not model.plans:  # in no plan: retired, kept for past usage
            reason = f"The model '{model_id[:64]}' does not exist."
        elif kind not in (None, model.kind):
            reason = _other_kind(model)
        elif plan.name not in model.plans:
            having = ", ".join(name for name in self.plans if name in model.plans)
            raise ModelNotInPlanError(
                f"The model '{model.id}' is not part of the {plan.name} plan. "
                f"It comes with: {having}.",
                param="model",
            )
        else:
            return model
        what = f" for {_ENDPOINTS[kind][0]}" if kind else ""
        known = ", ".join(other.id for other in self.of_plan(plan, kind)) or "none"
        raise ModelNotFoundError(f"{reason} Your plan has{what}: {known}.", param="model")


def _other_kind(model: Model) -> str:
    makes, endpoint = _ENDPOINTS[model.kind]
    return f"The model '{model.id}' makes {makes}: ask it with {endpoint}."
