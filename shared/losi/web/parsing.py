"""Reads request bodies: returns a JSON object, or refuses with a 400 that says what to do."""

import codecs
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request

from losi.errors import (
    InvalidRequestError,
    RequestTooLargeError,
    UnsupportedMediaError,
    echo,
)
from losi.json_count import holds_more_values
from losi.validation import json_type
from losi.web.codings import TooLongError, coding_of, decoded

#: The most that Lambda accepts in a synchronous invocation. The same everywhere, so that what works
#: locally works deployed. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_EVENT_BYTES = 6 * 1024 * 1024
#: Reserved for what the event contains besides the body: API Gateway accepts 10,240 bytes of
#: headers, and sends them twice.
#: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
EVENT_RESERVE = 64 * 1024
TOO_LARGE = (
    "The request is larger than 6 MB; quotes, backslashes and line breaks in its body count twice. "
    "Shorten the conversation, or refer to images by URL instead of sending them inline."
)
#: No recorded request has a hundredth of this; each value costs memory and time in every later
#: step.
MAX_VALUES = 50_000
#: Deeper than the nesting of any real request; JSON writers give up at about 250 levels.
MAX_DEPTH = 128

_DOUBLED = b'"\\\n\r\t\b\f'
_CONTROLS = bytes(code for code in range(32) if chr(code) not in "\n\r\t\b\f")


class StrictQuery(BaseModel):
    """Refuses unknown query parameters: a mistyped `start_dat=` must not return other days."""

    model_config = ConfigDict(extra="forbid")


class NoQuery(StrictQuery):
    pass


async def read_json(request: Request, *, max_values: int = MAX_VALUES) -> dict[str, Any]:
    """The body as a JSON object. Raises InvalidRequestError (400), RequestTooLargeError (413) or
    UnsupportedMediaError (415).
    """
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        raise UnsupportedMediaError(
            "Forms (multipart) are not taken. Send a JSON object with 'Content-Type: "
            "application/json'; images and files go inside of it, as data URIs."
        )
    coding = coding_of(request.headers.getlist("content-encoding"))
    data = loads(_plain(await _read_body(request), coding), max_values=max_values)
    if not isinstance(data, dict):
        raise InvalidRequestError(
            f"The request body must be a JSON object, not {json_type(data)}.", code="invalid_json"
        )
    return data


def _plain(body: bytes, coding: str) -> bytes:
    """The body decoded, and without the byte-order mark that some editors write."""
    most = MAX_EVENT_BYTES - EVENT_RESERVE
    try:
        plain = decoded(body, coding, most)
    except TooLongError:
        raise RequestTooLargeError(TOO_LARGE) from None
    if plain is not body and _size_in_event(plain) > most:
        raise RequestTooLargeError(TOO_LARGE)
    return plain.removeprefix(codecs.BOM_UTF8)


def loads(body: bytes, *, max_values: int = MAX_VALUES) -> Any:
    if not body.strip():
        raise InvalidRequestError(
            "The request body is empty. Send a JSON object with 'Content-Type: application/json'.",
            code="invalid_json",
        )
    if holds_more_values(body, max_values):
        raise InvalidRequestError(
            f"The request body holds more than {max_values:,} values (array items and properties). "
            "Send fewer of them.",
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
    _check_depth(data, body)
    return data


async def each_once(request: Request) -> None:
    """Raises InvalidRequestError (400) if a query parameter is given twice."""
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name in seen:
            raise InvalidRequestError(
                f"The query has the parameter '{echo(name)}' more than once. Send it once.",
                param=name,
                code="invalid_value",
            )
        seen.add(name)


async def _read_body(request: Request) -> bytes:
    most = MAX_EVENT_BYTES - EVENT_RESERVE
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > most:
        raise RequestTooLargeError(TOO_LARGE)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += _size_in_event(chunk)
        if size > most:
            raise RequestTooLargeError(TOO_LARGE)
        chunks.append(chunk)
    return b"".join(chunks)


def _size_in_event(body: bytes) -> int:
    """Bytes of the body as a JSON string, which is how API Gateway hands it to Lambda."""
    doubled = len(body) - len(body.translate(None, _DOUBLED))
    others = len(body) - len(body.translate(None, _CONTROLS))  # written as \u0000
    return len(body) + doubled + 5 * others


def _check_depth(data: Any, body: bytes) -> None:
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:  # which rules out deeper nesting
        return
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
