"""The path of an event without the base path of an operator's own domain."""

from __future__ import annotations

from typing import Any

import pytest

from losi.aws.base_path import own_path

MODELS, MODEL, SITE = "/api/v1/models", "/api/v1/models/{id+}", "/{path+}"


@pytest.mark.parametrize(
    ("path", "resource", "parameters", "own"),
    [
        (MODELS, MODELS, None, MODELS),
        (f"/llm{MODELS}", MODELS, None, MODELS),
        (f"/llm/v2{MODELS}", MODELS, {}, MODELS),
        (f"/llm{MODELS}/", MODELS, None, f"{MODELS}/"),
        (f"/a%20b{MODELS}", MODELS, None, MODELS),
        (f"{MODELS}/org%2Fx", MODEL, {"id": "org%2Fx"}, f"{MODELS}/org%2Fx"),
        (f"/llm{MODELS}/org%2Fx", MODEL, {"id": "org%2Fx"}, f"{MODELS}/org%2Fx"),
        (f"/llm{MODELS}/org/x/", MODEL, {"id": "org/x/"}, f"{MODELS}/org/x/"),
        # sam local decodes parameters, and not the path
        (f"/llm{MODELS}/x%20y", MODEL, {"id": "x y"}, f"{MODELS}/x%20y"),
        ("/llm/docs/", SITE, {"path": "docs"}, "/docs/"),
        ("/llm", "/", None, "/"),
        ("/llm/", "/", None, "/"),
        ("/", "/", None, "/"),
        ("", "/", None, "/"),
        ("", None, None, "/"),
    ],
)
def test_the_base_path_is_what_the_resource_does_not_have(
    path: str, resource: str | None, parameters: Any, own: str
) -> None:
    event = {"path": path, "resource": resource, "pathParameters": parameters}

    assert own_path(event) == own


@pytest.mark.parametrize(
    ("path", "resource", "parameters"),
    [
        ("/llm/x", None, None),
        ("/llm/x", "", None),
        ("/llm/x", MODELS, None),
        (f"/llm{MODELS}/x", MODEL, None),
        (f"/llm{MODELS}/x", MODEL, {"other": "x"}),
        (f"/llm{MODELS}/x", MODEL, {"id": 5}),
        (f"/llm{MODELS}/x", MODEL, ["x"]),
        (f"/llm{MODELS}/x", MODEL, {"id": "y"}),
        # a base that had to be decoded: nobody knows how much of the path it is
        (f"/a%20b{MODELS}/x%20y", MODEL, {"id": "x y"}),
    ],
)
def test_a_path_that_does_not_fit_its_resource_stays(
    path: str, resource: str | None, parameters: Any
) -> None:
    event = {"path": path, "resource": resource, "pathParameters": parameters}

    assert own_path(event) == path
    assert own_path({"path": path}) == path
