"""Bounds on the work for schemas and patterns, which come from callers."""

from typing import Any, TypeAlias

#: A schema that any object satisfies.
JsonSchema: TypeAlias = dict[str, Any]

#: The most characters of one generated value, as JSON.
MAX_CHARACTERS = 50_000
#: The most items of one generated array.
MAX_ITEMS = 1_000
#: The deepest nesting of one generated value. Bodies may nest 128 levels, and each level of a value
#: takes two.
MAX_DEPTH = 60
#: The most steps of all searches for one request: a second in the worst case.
MAX_STEPS = 100_000


class SchemaError(ValueError):
    """No value can be made for the schema. The message contains the reason, for the caller."""


class Budget:
    """The steps left for one request. Every search spends from it, so that none runs for ever."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self._left = steps

    def spend(self, steps: int = 1) -> None:
        self._left -= steps
        if self._left < 0:
            raise SchemaError("it takes too many steps to find a value that fits it")
