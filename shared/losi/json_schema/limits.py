"""What bounds the work on schemas and patterns, which are the caller's own."""

from typing import Any, TypeAlias

#: An object schema, whatever it says.
JsonSchema: TypeAlias = dict[str, Any]

#: Characters of one generated value, as JSON.
MAX_CHARACTERS = 50_000
#: Items of one generated array.
MAX_ITEMS = 1_000
#: Levels of one generated value. Bodies may nest 128 levels, and each level of a value takes two.
MAX_DEPTH = 60
#: Steps of all searches for one request: a second at the very worst.
MAX_STEPS = 100_000


class SchemaError(ValueError):
    """No value can be made for the schema; the message says why, in words for the caller."""


class Budget:
    """Steps left for one request: every search spends from it, so that none runs for ever."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self._left = steps

    def spend(self, steps: int = 1) -> None:
        self._left -= steps
        if self._left < 0:
            raise SchemaError("it takes too many steps to find a value that fits it")
