"""Reads request bodies: returns a JSON object, or refuses with a 400 that says what to do."""

import codecs
import re
import zlib
from collections.abc import Sequence
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
from losi.validation import holds_more_values, json_type, nests_deeper

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

#: Coding -> what zlib calls its format: https://docs.python.org/3/library/zlib.html#zlib.decompress
#: API Gateway takes these alone. It inflates them itself, leaves the header as it was, and refuses
#: all others with 415.
#: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gzip-compression-decompression.html
_CODINGS = {"gzip": 31, "x-gzip": 31, "deflate": 15}

#: Each step takes one or two levels of brackets away. Real requests have up to about ten.
_STEPS = 16
_STRING = re.compile(rb'"[^"]*"')
_NO_STRUCTURE = bytes(set(range(256)) - set(b'"[]{}'))
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
    named = request.headers.getlist("content-encoding")
    coding = _coding(named) if named else ""
    body = await _read_body(request)
    if coding and not _is_plain(body):
        body = _inflated(body, coding)
    data = loads(body, max_values=max_values)
    if not isinstance(data, dict):
        raise InvalidRequestError(
            f"The request body must be a JSON object, not {json_type(data)}.", code="invalid_json"
        )
    return data


def _coding(headers: Sequence[str]) -> str:
    """The coding in `Content-Encoding`, in lower case; "" for none. Raises UnsupportedMediaError
    (415).
    """
    named = [coding.strip().lower() for header in headers for coding in header.split(",")]
    codings = [coding for coding in named if coding not in ("", "identity")]
    if not codings:
        return ""
    if len(codings) > 1 or codings[0] not in _CODINGS:
        raise UnsupportedMediaError(
            f"The content coding '{echo(', '.join(codings))}' is not supported. "
            "Send the body as it is, or with 'Content-Encoding: gzip' or 'deflate'."
        )
    return codings[0]


def _is_plain(body: bytes) -> bool:
    """Whether it was decoded on its way here: no coding begins like JSON."""
    return body.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"[", b"")


def _inflated(body: bytes, coding: str) -> bytes:
    """The body without its coding. Raises RequestTooLargeError (413), and UnsupportedMediaError
    (415), as API Gateway does, for a body that is not in that coding.
    """
    most = MAX_EVENT_BYTES - EVENT_RESERVE
    inflater = zlib.decompressobj(_CODINGS[coding])
    try:
        plain = inflater.decompress(body, most + 1)
    except zlib.error:
        plain = b""
    if len(plain) > most or (inflater.eof and _size_in_event(plain) > most):
        raise RequestTooLargeError(TOO_LARGE)
    if not inflater.eof:
        raise UnsupportedMediaError(
            f"The body is not in the coding that 'Content-Encoding: {coding}' names. "
            "Leave the header out, or compress the body."
        )
    return plain


def loads(body: bytes, *, max_values: int = MAX_VALUES) -> Any:
    """The value of a JSON text, without the byte-order mark that some editors write."""
    body = body.removeprefix(codecs.BOM_UTF8)
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
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _may_be_deep(body):
        _check_depth(data)
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


def _may_be_deep(body: bytes) -> bool:
    """Whether a JSON text may be nested too deeply, judged by its brackets alone: walking the value
    of 500 tools takes three times as long.
    """
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    # two quotes side by side are a string without brackets, or the border of two strings
    brackets = _STRING.sub(b"", plain.translate(None, _NO_STRUCTURE).replace(b'""', b""))
    for _ in range(_STEPS):
        if not brackets:
            return False
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
    return bool(brackets)


def _check_depth(data: Any) -> None:
    if nests_deeper(data, MAX_DEPTH):
        raise InvalidRequestError(
            f"The request body is nested more than {MAX_DEPTH} levels deep. Flatten it.",
            code="invalid_json",
        )
