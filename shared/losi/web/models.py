"""GET /api/v1/models and GET /api/v1/models/{id}: what the caller's plan has."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from losi.catalogue.models import catalog
from losi.identity.principal import Principal
from losi.web.dependencies import fresh_principal
from losi.web.responses import JsonResponse

router = APIRouter(prefix="/api/v1")

Caller = Annotated[Principal, Depends(fresh_principal("models.list"))]


@router.get("/models")
def list_models(caller: Caller) -> Any:
    data = [model.to_openai() for model in catalog().of_plan(caller.plan)]
    return JsonResponse({"object": "list", "data": data})


@router.get("/models/{model_id:path}")
def get_model(model_id: str, caller: Caller) -> Any:
    return JsonResponse(catalog().find(model_id, caller.plan).to_openai())
