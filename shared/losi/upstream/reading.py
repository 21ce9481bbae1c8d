"""JSON of upstreams, read as leniently as SDKs read it: by Python's rules and JavaScript's. Pure.

Real providers send a byte order mark first, numbers that JSON has no word for (in log
probabilities), and half a character at the edge of a chunk. A value's shape is checked where it
comes in, so that later code can trust it.
"""

import json
from typing import Any, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from losi.validation import nests_deeper

T = TypeVar("T")

_BOM = b"\xef\xbb\xbf"
#: orjson writes 254 levels, and an answer gets some around it.
MOST_LEVELS = 200
#: OpenAI's figure for the logarithm of zero (its OpenAPI document, `logprob`).
_NO_NUMBERS = {"-Infinity": -9999.0}
#: Fields whose text may end in half a character, with the other half in the next piece.
_PIECES = {"content", "reasoning_content", "reasoning", "refusal", "text", "thinking"}


def loads(data: bytes, *, pieces: bool = False) -> Any:
    """The value of a JSON text; with `pieces`, halves of characters stay at the edges of texts.

    Raises ValueError where no SDK would read one, or nobody could write it again.
    """
    data = data.removeprefix(_BOM)
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        value = _read_leniently(data, pieces=pieces)
    if (
        len(data) > 2 * MOST_LEVELS  # most events are too short to nest deeply
        and data.count(b"[") + data.count(b"{") > MOST_LEVELS
        and nests_deeper(value, MOST_LEVELS)
    ):
        raise ValueError("nested too deeply")
    return value


def _read_leniently(data: bytes, *, pieces: bool) -> Any:
    text = data.decode("utf-8", "replace")
    try:
        value = json.loads(text, parse_constant=_NO_NUMBERS.get, parse_int=_integer)
        return _writable(value, keep=pieces, name="")
    except RecursionError:
        raise ValueError("nested too deeply") from None


def is_whole(data: bytes) -> bool:
    """Whether data is a complete JSON text, so that nothing of it was lost."""
    try:
        loads(data)
    except ValueError:
        return False
    return True


class ShapeError(Exception):
    """An upstream sent what its format does not allow. It says where, never what, as that is
    content.
    """


def checked(shape: TypeAdapter[T], value: Any) -> T:
    """The value in that shape, without fields that the shape does not name. Raises ShapeError."""
    try:
        return shape.validate_python(value)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise ShapeError(f"{place or 'answer'}: {fault['type']}") from None


def joined(text: str) -> str:
    """A text in which surrogate pairs are joined into characters."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def is_high_surrogate(character: str) -> bool:
    """The first half of a character beyond the basic plane."""
    return "\ud800" <= character <= "\udbff"


def without_halves(text: str) -> str:
    """A text with U+FFFD for halves of characters, which UTF-8 cannot encode."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _writable(value: Any, *, keep: bool, name: str) -> Any:
    """A value that orjson can write again."""
    if isinstance(value, str):
        return value if keep and name in _PIECES else without_halves(value)
    if isinstance(value, list):
        return [_writable(one, keep=keep, name=name) for one in value]
    if isinstance(value, dict):
        return {
            without_halves(key): _writable(one, keep=keep, name=key) for key, one in value.items()
        }
    return value


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 19 else float(digits)
