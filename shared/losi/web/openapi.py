"""GET /api/v1/openapi.json: the API's description, made from the endpoints themselves.

Paths and permissions come from endpoints.py, parameters from the handlers' signatures by FastAPI,
bodies and answers from what the signatures declare beside them, examples from examples.py.
"""

import sys
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import orjson
from fastapi.openapi.utils import get_openapi as parameters_of
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import Response

from losi import __version__
from losi.web import headers, schemas
from losi.web.declared import declared
from losi.web.endpoints import BASE_PATH, ENDPOINTS, Answers, Endpoint, Takes
from losi.web.examples import EXAMPLES, Example
from losi.web.refusals import REFUSALS
from losi.wire import JsonObject

if TYPE_CHECKING:
    from losi.web.schemas import Description


ABOUT = """An OpenAI-compatible API: OpenAI's SDKs work with this base URL and a key that starts \
with `losi-`.

A key does what its permissions say; each operation names the one it needs. Every refusal has the \
same body, `Error`."""
MEDIA_TYPES = {"json": "application/json", "events": "text/event-stream", "csv": "text/csv"}


def get_openapi() -> "Annotated[Response, Answers(Description)]":
    """This document: OpenAPI 3.1. It needs no key."""
    return Response(rendered(), media_type="application/json")


@cache
def rendered() -> bytes:
    return orjson.dumps(document(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def document() -> JsonObject:
    routes = [route for route in declared(ENDPOINTS).routes if isinstance(route, APIRoute)]
    operations = [_Operation(endpoint, _route(routes, endpoint)) for endpoint in ENDPOINTS]
    models = {model for operation in operations for model in operation.models()}
    in_order = sorted(models, key=lambda model: model.__name__)
    _, definitions = models_json_schema(
        [(model, "validation") for model in in_order], ref_template="#/components/schemas/{model}"
    )
    by_fastapi = parameters_of(title="", version="", routes=routes)["paths"]
    paths: JsonObject = {}
    for operation in operations:
        path, method = operation.path, operation.endpoint.method.lower()
        parameters = by_fastapi[BASE_PATH + path][method].get("parameters", [])
        paths.setdefault(path, {})[method] = operation.described(parameters)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Losi API", "version": __version__, "description": ABOUT},
        # relative to where this document is, so it holds under every host and stage
        "servers": [{"url": "../v1", "description": "Where this document is served."}],
        "security": [{"apiKey": []}],
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "responses": {
                each.name: _refusal(status, _named([each.example], "answer"))
                for status, each in REFUSALS.items()
            },
            "headers": {name: _header(text) for name, text in _all_headers().items()},
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "`losi-...`"}
            },
        },
    }


def _route(routes: list[APIRoute], endpoint: Endpoint) -> APIRoute:
    (found,) = (route for route in routes if route.name == endpoint.name)
    return found


class _Operation:
    """An endpoint with what its handler declares."""

    def __init__(self, endpoint: Endpoint, route: APIRoute) -> None:
        hints = get_type_hints(route.endpoint, localns=vars(schemas), include_extras=True)
        declared = [extra for hint in hints.values() for extra in _extras(hint)]
        self.endpoint = endpoint
        self.path = endpoint.resource.replace("+}", "}")
        (self.answers,) = (each for each in declared if isinstance(each, Answers))
        self.body = next((each.body for each in declared if isinstance(each, Takes)), None)
        self._examples = EXAMPLES[endpoint.name]
        self._text = " ".join((route.endpoint.__doc__ or "").split())

    def models(self) -> list[type[BaseModel]]:
        return [schemas.Error, *self._media().values(), *([self.body] if self.body else [])]

    def described(self, parameters: list[JsonObject]) -> JsonObject:
        needs = self.endpoint.permission
        described: JsonObject = {
            "operationId": self.endpoint.name,
            "tags": [self.endpoint.function],
            "summary": self.endpoint.summary,
            "description": f"{self._text}\n\nNeeds the permission `{needs}`."
            if needs
            else self._text,
            "parameters": [self._parameter(each) for each in parameters],
            "responses": {"200": self._answer()}
            | {str(status): self._refusal(status) for status in self._refusals(parameters)},
        }
        if needs is None:
            described["security"] = []
        if self.body:
            content = {"schema": _ref(self.body), "examples": self._values("body")}
            described["requestBody"] = {
                "required": True,
                "content": {"application/json": content},
            }
        return described

    def _media(self) -> dict[str, type[BaseModel]]:
        kinds = ((kind, getattr(self.answers, kind)) for kind in MEDIA_TYPES)
        return {kind: model for kind, model in kinds if model}

    def _parameter(self, parameter: JsonObject) -> JsonObject:
        name = parameter["name"]
        values = {
            example.name: {"value": example.parameters[name]}
            for example in self._examples
            if name in example.parameters
        }
        schema = _of_text(parameter["schema"])
        return {**parameter, "schema": schema, **({"examples": values} if values else {})}

    def _refusals(self, parameters: list[JsonObject]) -> list[int]:
        about_one = any(each["name"] == "id" for each in parameters)
        found = {400, 429, 500, 502, 504}  # API Gateway may answer these for any endpoint
        if self.endpoint.permission:
            found |= {401, 403}
        if self.answers.reads_table or self.endpoint.permission:
            found |= {503}
        if self.body:
            found |= {413, 415}
        if about_one or (self.body and "model" in self.body.model_fields):
            found |= {404}
        return sorted(found)

    def _answer(self) -> JsonObject:
        extra = headers.METERED if self.answers.metered else {}
        return {
            "description": self.endpoint.summary,
            "headers": _refs({**headers.EVERY, **extra}),
            "content": {
                MEDIA_TYPES[kind]: {
                    "schema": _ref(model),
                    "examples": self._values("answer", kind=kind),
                }
                for kind, model in self._media().items()
            },
        }

    def _refusal(self, status: int) -> JsonObject:
        if examples := self._values("answer", status=status):
            return _refusal(status, examples)
        return {"$ref": f"#/components/responses/{REFUSALS[status].name}"}

    def _values(self, what: str, status: int = 200, kind: str = "json") -> JsonObject:
        def fits(example: Example) -> bool:
            return what == "body" or (example.status, example.kind) == (status, kind)

        return _named(filter(fits, self._examples), what)


def _named(examples: Iterable[Example], what: str) -> JsonObject:
    return {
        example.name: {"summary": example.summary, "value": getattr(example, what)}
        for example in examples
    }


def _of_text(schema: JsonObject) -> JsonObject:
    """A parameter's schema without what a URL cannot say, nor what the parameter itself says."""
    kept = {name: each for name, each in schema.items() if name not in ("title", "description")}
    forms = [form for form in kept.pop("anyOf", []) if form != {"type": "null"}]
    return {**kept, **(forms[0] if len(forms) == 1 else {"anyOf": forms} if forms else {})}


def _extras(hint: Any) -> tuple[Any, ...]:
    return getattr(hint, "__metadata__", ())


def _ref(model: type[BaseModel]) -> JsonObject:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _refs(named: dict[str, str]) -> JsonObject:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in named}


def _all_headers() -> dict[str, str]:
    return {**headers.EVERY, **headers.REFUSED, **headers.UNAUTHORIZED, **headers.METERED}


def _refusal(status: int, examples: JsonObject) -> JsonObject:
    content = {"schema": _ref(schemas.Error), "examples": examples}
    return {
        "description": REFUSALS[status].description,
        "headers": _refs(
            {
                **headers.EVERY,
                **headers.REFUSED,
                **(headers.UNAUTHORIZED if status == 401 else {}),
                **headers.METERED,
            }
        ),
        "content": {"application/json": content},
    }


def _header(description: str) -> JsonObject:
    return {"description": description, "schema": {"type": "string"}}


if __name__ == "__main__":  # `make openapi`
    sys.stdout.buffer.write(rendered())
