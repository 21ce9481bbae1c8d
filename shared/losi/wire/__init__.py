"""JSON as it comes off the wire."""

from collections.abc import Collection, Mapping
from typing import Any, TypeAlias, TypeVar, cast

#: An object that nobody has looked into.
JsonObject: TypeAlias = dict[str, Any]
#: A JSON Schema of a caller's: whatever it says is theirs.
JsonSchema: TypeAlias = dict[str, Any]

F = TypeVar("F", bound=Mapping[str, object])


def without(fields: F, names: Collection[str]) -> F:
    """A copy without some fields, which are none that must be there."""
    return cast(F, {name: value for name, value in fields.items() if name not in names})
