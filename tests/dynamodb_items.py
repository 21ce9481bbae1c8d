"""What DynamoDB says of an item by itself: how large it is, and whether its values may be stored.

Sizes: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
Values: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""

from __future__ import annotations

import re
from typing import Any

Value = dict[str, Any]
Item = dict[str, Value]

LARGEST_ITEM = 400 * 1024
_NUMBER = re.compile(r"-?\d{1,38}")


class RefusedError(Exception):
    """DynamoDB's refusal: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html"""

    code = ""

    def answer(self) -> dict[str, Any]:
        """As botocore parses it."""
        return {"Error": {"Code": self.code, "Message": str(self)}}


class ValidationError(RefusedError):
    """Also for what the model does not know."""

    code = "ValidationException"


def item_bytes(item: Item) -> int:
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Value) -> int:
    [(kind, held)] = value.items()
    match kind:
        case "S":
            return len(held.encode())
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_bytes(v) for name, v in held.items())
        case "L":
            return 3 + sum(1 + _value_bytes(inner) for inner in held)
        case "SS":
            return sum(len(text.encode()) for text in held)
        case "N":
            digits = held.lstrip("-").rstrip("0")
            return (len(digits) + 1) // 2 + 1 + int(held.startswith("-"))
        case "B":
            return len(held)
    return 1  # BOOL, NULL


def check_item(item: Item) -> None:
    """Raises ValidationError for an item that is too large or has a value that none may have."""
    for value in item.values():
        check_value(value)
    if item_bytes(item) > LARGEST_ITEM:
        raise ValidationError("Item size has exceeded the maximum allowed size")


def check_value(value: Value) -> None:
    if len(value) != 1:
        raise ValidationError("Supplied AttributeValue has more than one datatypes set")
    [(kind, held)] = value.items()
    if kind == "N" and not _NUMBER.fullmatch(held):
        raise ValidationError(f"The model knows whole numbers of up to 38 digits, not {held}")
    if kind == "SS" and (not held or len(set(held)) < len(held)):
        raise ValidationError("A string set may not be empty, nor contain duplicates")
    if kind in ("NS", "BS"):
        raise ValidationError(f"The model does not know {kind}")
    for inner in held.values() if kind == "M" else held if kind == "L" else ():
        check_value(inner)
