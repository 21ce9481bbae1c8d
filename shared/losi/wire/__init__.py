"""JSON as it comes off the wire."""

from collections.abc import Collection, Mapping
from typing import Any, TypeAlias, TypeVar, cast

#: An object whose fields nobody has checked.
JsonObject: TypeAlias = dict[str, Any]
#: A caller's JSON Schema, which may say anything.
JsonSchema: TypeAlias = dict[str, Any]

F = TypeVar("F", bound=Mapping[str, object])


def without(fields: F, names: Collection[str]) -> F:
    """A copy without some fields, none of which is required."""
    return cast(F, {name: value for name, value in fields.items() if name not in names})
