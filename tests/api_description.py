"""openapi.json as a judge: whether an answer is one that it documents."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import httpx
from jsonschema import Draft202012Validator, FormatChecker

from losi.web.endpoints import BASE_PATH, CONSOLE
from losi.web.openapi import document
from tests.quick_boto3 import untraced

Json = dict[str, Any]
#: Of HTTP, of CORS, and of how a body is carried: openapi.json does not name them.
TRANSPORT = re.compile(
    "access-control-.*|allow|cache-control|connection|content-(length|type|encoding)|date|server"
    "|transfer-encoding|vary|x-accel-buffering"
)


@cache
def described() -> Json:
    return document()


def operation(method: str, path: str) -> Json | None:
    """The documented operation, or None where the API answers 404 or 405 by itself."""
    for template, operations in described()["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", ".+", re.escape(BASE_PATH + template))
        if re.fullmatch(pattern, path):
            found: Json | None = operations.get(method.lower())
            if found:
                return found
    return None


def answer_of(operation: Json, status: int) -> Json:
    """What an operation answers with this status, where it refers to a shared refusal that one."""
    answer: Json = operation["responses"][str(status)]
    if "$ref" in answer:
        name = answer["$ref"].rpartition("/")[2]
        answer = described()["components"]["responses"][name]
    return answer


@cache
def _validator(reference: str) -> Draft202012Validator:
    schema = {"$ref": reference, "components": described()["components"]}
    return Draft202012Validator(schema, format_checker=FormatChecker())


def fits(schema: Json, value: Any) -> None:
    untraced(_validator(schema["$ref"]).validate)(value)


def check(response: httpx.Response) -> None:
    """Fails unless openapi.json has this answer: its status, its headers, its body."""
    request = response.request
    if not request.url.path.startswith(BASE_PATH) or request.method == "OPTIONS":
        return
    if any(request.url.path == each.path for each in CONSOLE):
        return  # no part of the documented API
    found = operation(request.method, request.url.path)
    if found is None:
        assert response.status_code in (404, 405), request.url
        fits({"$ref": "#/components/schemas/Error"}, response.json())
        return
    where = f"{request.method} {request.url.path} -> {response.status_code}"
    assert str(response.status_code) in found["responses"], where
    documented = answer_of(found, response.status_code)
    unknown = {
        name
        for name in response.headers
        if not TRANSPORT.fullmatch(name) and name not in documented["headers"]
    }
    assert not unknown, f"{where}: {unknown}"
    media = response.headers["content-type"].partition(";")[0]
    _check_body(documented["content"][media]["schema"], media, response.text)


def _check_body(schema: Json, media: str, text: str) -> None:
    if media == "text/event-stream":
        for event in data_of(text):
            error = "error" in event
            fits({"$ref": "#/components/schemas/Error"} if error else schema, event)
    else:
        fits(schema, json.loads(text) if media == "application/json" else text)


def data_of(stream: str) -> list[Json]:
    """The events of a stream, without comments and the last `[DONE]`."""
    lines = [line.removeprefix("data: ") for line in stream.split("\n\n") if line[:1] == "d"]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def check_answer_now(response: httpx.Response) -> None:
    """For the `event_hooks` of an httpx.Client."""
    response.read()
    check(response)


async def check_answer(response: httpx.Response) -> None:
    """For the `event_hooks` of an httpx.AsyncClient."""
    await response.aread()
    check(response)
