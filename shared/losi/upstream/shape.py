"""Checks answers of upstreams where they come in, so that later code can trust them."""

from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")


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
