"""All plans, providers and models, loaded once and passed down."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from losi.catalogue.models import Kind, Model
from losi.catalogue.plans import Plan
from losi.catalogue.providers import Provider
from losi.errors import ModelNotFoundError, ModelNotInPlanError

#: What a model of each kind answers, and at which endpoint.
_ENDPOINTS = {
    "chat": ("chat completions", "POST /api/v1/chat/completions"),
    "embedding": ("embeddings", "POST /api/v1/embeddings"),
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
