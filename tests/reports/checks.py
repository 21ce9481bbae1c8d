"""Whether an answer is what a report says is right."""

import json
import re
from collections.abc import Callable
from typing import Any

from tests.loose import Json

_MISSING = object()


def _text(value: Any) -> str:
    if value is _MISSING:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, wanted: bool(value == wanted),
    "ne": lambda value, wanted: bool(value != wanted),
    "in": lambda value, wanted: value in wanted,
    "absent": lambda value, _: value is _MISSING,
    "present": lambda value, _: value is not _MISSING and value is not None,
    "contains": lambda value, wanted: wanted in _text(value),
    "not_contains": lambda value, wanted: wanted not in _text(value),
    "regex": lambda value, wanted: re.search(wanted, _text(value)) is not None,
    "not_regex": lambda value, wanted: re.search(wanted, _text(value)) is None,
    "ge": lambda value, wanted: value is not _MISSING and bool(value >= wanted),
    "le": lambda value, wanted: value is not _MISSING and bool(value <= wanted),
    "json_eq": lambda value, wanted: bool(json.loads(_text(value)) == wanted),
    "max_length": lambda value, wanted: value is not _MISSING and len(value) <= wanted,
}


def mistakes(document: Json, checks: list[Any]) -> list[str]:
    """The checks that fail; {"any": [[...], [...]]} holds where one of its lists does."""
    found: list[str] = []
    for check in checks:
        if isinstance(check, dict):
            tries = [mistakes(document, some) for some in check["any"]]
            found += ["none of: " + " | ".join(one[0] for one in tries)] if all(tries) else []
            continue
        path, operator, *wanted = check
        value = _look(document, path)
        if not _holds(value, operator, *wanted):
            found.append(f"{path} is {_text(value)[:160]!r}, wanted {operator} {wanted}")
    return found


def _holds(value: Any, operator: str, wanted: Any = None) -> bool:
    try:
        return _OPERATORS[operator](value, wanted)
    except (TypeError, ValueError):
        return False


def look(document: Json, path: str) -> Any:
    value = _look(document, path)
    assert value is not _MISSING, path
    return value


def _look(document: Json, path: str) -> Any:
    value: Any = document
    for part in path.split("."):
        if isinstance(value, list) and part == "length":
            value = len(value)
        elif isinstance(value, list) and re.fullmatch(r"-?\d+", part):
            value = value[int(part)] if -len(value) <= int(part) < len(value) else _MISSING
        elif isinstance(value, dict):
            value = value.get(part, _MISSING)
        else:
            return _MISSING
    return value
