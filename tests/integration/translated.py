"""template.yaml after SAM's own translator."""

from __future__ import annotations

from functools import cache
from typing import Any

from local import sam
from local.sam import SAM_PYTHON
from losi.web import endpoints
from losi.web.endpoints import CONSOLE, ENDPOINTS, SITE
from tests.deployment import logical_id
from tests.obtain import skip_or_fail

FUNCTIONS = [
    logical_id(function) for function in (*endpoints.FUNCTIONS, "console", "settlements", "canary")
]

ALL = (*ENDPOINTS, *CONSOLE)

PATHS = sorted({*SITE, *(endpoint.path for endpoint in ALL)})

BUFFERED_PATHS = sorted({endpoint.path for endpoint in ALL if not endpoint.streams})


@cache
def translated(layer_version: str = "1", **parameters: str) -> dict[str, Any]:
    if not SAM_PYTHON.exists():
        skip_or_fail("The SAM CLI is missing: run `make sam-venv`")
    return sam.translated(layer_version, **parameters)


def resource(name: str) -> dict[str, Any]:
    properties: dict[str, Any] = translated()[name]["Properties"]
    return properties


def of_type(kind: str, layer_version: str = "1") -> dict[str, Any]:
    resources = translated(layer_version)
    return {name: each for name, each in resources.items() if each["Type"] == kind}


def api() -> dict[str, Any]:
    body: dict[str, Any] = resource("LosiApi")["Body"]
    return body


def integration(path: str) -> dict[str, Any]:
    method = api()["paths"][path]["x-amazon-apigateway-any-method"]
    found: dict[str, Any] = method["x-amazon-apigateway-integration"]
    return found


def statements(function: str) -> list[dict[str, Any]]:
    (policy,) = resource(f"{function}Role")["Policies"]
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return found


def text_of(node: Any, values: dict[str, Any]) -> Any:
    """What CloudFormation makes of its string functions, given what references stand for."""
    if not isinstance(node, dict):
        return node
    match next(iter(node.items())):
        case "Ref", name:
            return values[name]
        case "Fn::Join", (between, parts):
            return between.join(text_of(parts, values))
        case "Fn::Split", (between, text):
            return text_of(text, values).split(between)
        case "Fn::Sub", (text, named):
            for name, value in named.items():
                text = text.replace(f"${{{name}}}", text_of(value, values))
            return text
    raise AssertionError(node)
