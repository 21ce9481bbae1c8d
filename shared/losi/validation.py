"""Checks of callers' JSON: how much it holds, and whether it is what a typed model asks for, with
pydantic's verdict in the words of this API.
"""

import re
from collections.abc import Collection
from functools import cache
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, BeforeValidator, FailFast, ValidationError
from pydantic_core import ErrorDetails, PydanticKnownError

from losi.errors import InvalidRequestError, echo

_RULES = {
    "string_type": "should be a string",
    "list_type": "should be an array",
    "dict_type": "should be an object",
    "model_type": "should be an object",
    "bool_type": "should be true or false",
    "int_type": "should be an integer",
    "float_type": "should be a number",
    "datetime_type": "should be a string with an ISO 8601 time",
    "too_short": "should hold {min_length} or more items",
    "too_long": "should hold {max_length} or fewer items",
    "string_too_short": "should have {min_length} or more characters",
    "string_too_long": "should have {max_length} or fewer characters",
    "string_pattern_mismatch": "should match {pattern}",
}

#: Up to the next of the three. The quantifiers are possessive: nothing is tried twice and nothing
#: kept, so the time grows with the text alone (0.02 s a megabyte) and the memory not at all.
_TO_THE_NEXT = rb'(?:(?:[^"{\[,]++|"(?:[^"\\]++|\\.)*+"?)*+[{\[,])'

M = TypeVar("M", bound=BaseModel)


def holds_more_values(text: bytes, limit: int) -> bool:
    """Whether the text, JSON or not, holds more than `limit` values: counted before a parser turns
    each into an object, as six megabytes of `{"":{}},` become a quarter of a gigabyte.

    Every value but the first follows a comma, a bracket or a brace outside of strings, so counting
    those bounds the values from above.
    """
    if text.count(b",") + text.count(b"[") + text.count(b"{") <= limit:
        return False  # not even if those inside strings count
    return _more_than(limit).match(text) is not None


@cache
def _more_than(limit: int) -> re.Pattern[bytes]:
    return re.compile(_TO_THE_NEXT + b"{%d}+" % (limit + 1), re.DOTALL)


class UntilMistake(FailFast):
    """A list that is validated up to its first mistake: finding all mistakes would cost far more
    than the list. It is hashable, so that a union can contain it.
    """

    def __hash__(self) -> int:
        return hash(self.fail_fast)


def nests_deeper(value: Any, most: int) -> bool:
    """Whether a JSON value is nested in more than so many levels."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(most):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def at_most(most: int) -> BeforeValidator:
    """An object with at most so many properties, counted first: pydantic's own limit applies only
    after it has found what is wrong with each of them. For lists there is `UntilMistake`.
    """

    def check(value: Any) -> Any:
        if isinstance(value, dict) and len(value) > most:
            size = {"field_type": "Dictionary", "max_length": most, "actual_length": len(value)}
            raise PydanticKnownError("too_long", size)
        return value

    return BeforeValidator(check)


def validated(model: type[M], data: Any) -> M:
    """Return the data as that model. Raises InvalidRequestError (400) that names the first
    mistake.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:  # of few mistakes: see `at_most`
        raise invalid(error.errors(include_url=False)[0], model.model_fields) from error


def invalid(mistake: ErrorDetails, known: Collection[str] = ()) -> InvalidRequestError:
    """Word one of pydantic's errors for callers; `known` are the parameters that exist."""
    param = param_name(mistake["loc"])
    kind = mistake["type"]
    if kind == "missing":
        return InvalidRequestError(
            f"Missing required parameter: '{param}'.",
            param=param,
            code="missing_required_parameter",
        )
    if kind == "extra_forbidden":
        return unknown_parameter(param or "", known)
    if kind == "value_error":  # raised by our own validators, already in plain words
        reason = str(mistake["ctx"]["error"])
    else:
        reason = (
            f"Invalid value for '{param}': it {_rule(mistake)}, and is {_shown(mistake['input'])}."
        )
    wrong_type = kind.endswith("_type") or kind == "is_instance_of"
    return InvalidRequestError(
        reason, param=param, code="invalid_type" if wrong_type else "invalid_value"
    )


def unknown_parameter(name: str, known: Collection[str]) -> InvalidRequestError:
    from difflib import get_close_matches  # no cold start needs it

    close = get_close_matches(name, known, n=1)
    remedy = f"Did you mean '{close[0]}'?" if close else "Remove it."
    return InvalidRequestError(
        f"Unknown parameter: '{name[:64]}'. {remedy}", param=name[:64], code="unknown_parameter"
    )


def param_name(location: tuple[int | str, ...]) -> str | None:
    """`("messages", 0, "content")` as OpenAI writes it: `messages[0].content`."""
    name = ""
    for part in location:
        if isinstance(part, str) and part.startswith("<"):  # the tag of a union's member
            continue
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return echo(name) or None


def _rule(mistake: ErrorDetails) -> str:
    """What the value should be, in terms of JSON rather than Python."""
    rule = _RULES.get(mistake["type"])
    if rule is None:
        return mistake["msg"].removeprefix("Input ")
    return rule.format_map(mistake.get("ctx", {}))


def json_type(value: Any) -> str:
    names = {bool: "a boolean", list: "an array", str: "a string", type(None): "null"}
    return names.get(type(value), "a number")


def _shown(value: Any) -> str:
    """A short value as it was sent; of a longer one only its type, as it may be a whole prompt."""
    if isinstance(value, bool | int | float | None):
        return orjson.dumps(value).decode()
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, str) and len(value) <= 40:
        return f"'{value}'"
    if value == []:
        return "an empty array"
    return json_type(value)
