"""GET /api/v1/models and GET /api/v1/models/{id}: what the caller's plan has."""

from typing import TYPE_CHECKING, Annotated

from fastapi import HTTPException, Path

from losi.web.endpoints import Answers
from losi.web.injection import AppServices, Caller
from losi.web.responses import JsonResponse

if TYPE_CHECKING:
    from losi.web.schemas import ModelList, PublicModel


def list_models(
    caller: Caller, services: AppServices
) -> "Annotated[JsonResponse, Answers(ModelList)]":
    """Lists the models available for your account based on your subscription plan."""
    data = [model.to_openai() for model in services.catalogue.of_plan(caller.plan)]
    return JsonResponse({"object": "list", "data": data})


def get_model(
    id: Annotated[str, Path(description="The id of a model. It may hold slashes.")],
    caller: Caller,
    services: AppServices,
) -> "Annotated[JsonResponse, Answers(PublicModel)]":
    """A model of your plan; a model of a larger plan is refused by a 403 that names the plans."""
    if not id:  # a slash after /models
        raise HTTPException(404)
    return JsonResponse(services.catalogue.find(id, caller.plan).to_openai())
