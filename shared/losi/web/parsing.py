"""Reading request bodies: whatever arrives becomes a JSON object or a 400 that says what to do."""

from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request

from losi.errors import InvalidRequestError, RequestTooLargeError
from losi.validation import json_type

#: API Gateway's limit for a request; the same everywhere, so that what works locally deploys.
MAX_BODY_BYTES = 10 * 1024 * 1024
#: Deeper nesting than any real request; JSON writers give up at about 250 levels.
MAX_DEPTH = 128


class StrictQuery(BaseModel):
    """Query parameters, and no others: `start_dat=` must not answer for other days."""

    model_config = ConfigDict(extra="forbid")


class NoQuery(StrictQuery):
    pass


async def read_json(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises InvalidRequestError (400) or RequestTooLargeError (413)."""
    data = loads(await _read_body(request))
    if not isinstance(data, dict):
        raise InvalidRequestError(
            f"The request body must be a JSON object, not {json_type(data)}.", code="invalid_json"
        )
    return data


def loads(body: bytes) -> Any:
    if not body.strip():
        raise InvalidRequestError(
            "The request body is empty. Send a JSON object with 'Content-Type: application/json'.",
            code="invalid_json",
        )
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError(
            f"The request body is not valid JSON: {error.msg} at line {error.lineno} column "
            f"{error.colno}. Send a JSON object, encoded as UTF-8.",
            code="invalid_json",
        ) from error
    _check_depth(data)
    return data


async def each_once(request: Request) -> None:
    """Raises InvalidRequestError (400) for a query parameter that is given twice."""
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if names.count(name) > 1:
            raise InvalidRequestError(
                f"The query has the parameter '{name[:64]}' {names.count(name)} times. "
                "Send it once.",
                param=name[:64],
                code="invalid_value",
            )


async def _read_body(request: Request) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
        raise _too_large()
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise _too_large()
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large() -> RequestTooLargeError:
    return RequestTooLargeError(
        f"The request body is larger than {MAX_BODY_BYTES // 1024 // 1024} MB. Shorten the "
        "conversation, or refer to images by URL instead of sending them inline."
    )


def _check_depth(data: Any) -> None:
    level = [data] if isinstance(data, dict | list) else []
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise InvalidRequestError(
        f"The request body is nested more than {MAX_DEPTH} levels deep. Flatten it.",
        code="invalid_json",
    )
