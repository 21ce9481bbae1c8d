"""GET /api/v1/models and GET /api/v1/models/{id}: what the caller's plan has."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from losi.catalog import catalog
from losi.chat.completions import find_model
from losi.principal import Principal
from losi.web.dependencies import fresh_principal
from losi.web.responses import JsonResponse

router = APIRouter(prefix="/api/v1")

Caller = Annotated[Principal, Depends(fresh_principal("models.list"))]


@router.get("/models")
def list_models(caller: Caller) -> Any:
    data = [model.to_openai() for model in catalog() if caller.plan.name in model.plans]
    return JsonResponse({"object": "list", "data": data})


@router.get("/models/{model_id:path}")
def get_model(model_id: str, caller: Caller) -> Any:
    return JsonResponse(find_model(catalog(), model_id, caller).to_openai())
