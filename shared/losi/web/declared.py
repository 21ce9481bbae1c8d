"""Endpoints served by FastAPI, which reads, checks and describes their parameters."""

from collections.abc import Iterable
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request

from losi.validation import invalid
from losi.web.endpoints import Endpoint
from losi.web.parsing import each_once
from losi.web.responses import JsonResponse, render


def declared(endpoints: Iterable[Endpoint]) -> FastAPI:
    """An app that serves the endpoints; FastAPI's own refusals are rendered in our error
    envelope.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    for endpoint in endpoints:
        app.add_api_route(
            endpoint.route,
            endpoint.handler(),
            methods=[endpoint.method],
            name=endpoint.name,
            response_model=None,  # answers are written once, by us; openapi.py reads what they are
            dependencies=[] if endpoint.streams else [Depends(each_once)],
        )
    app.add_exception_handler(RequestValidationError, _request_validation_error)
    return app


async def _request_validation_error(request: Request, error: Any) -> JsonResponse:
    mistake = dict(error.errors()[0])
    mistake["loc"] = tuple(mistake["loc"])[1:]  # without the leading "query", "path" or "header"
    known = [field.alias for field in get_flat_params(request.scope["route"].dependant)]
    return render(invalid(mistake, known))  # type: ignore[arg-type]
