"""Whether a value is valid under a JSON Schema: how answers are checked.

Draft 2020-12 with the older spellings that tools still send (array-form `items`,
`dependencies`, boolean `exclusiveMinimum`). `format` is an annotation, as the standard has it.
It is our own because callers' schemas need the bounds of `Budget`
(docs/decisions/0007-json-schema-engine.md).
"""

from collections.abc import Callable, Hashable
from fractions import Fraction
from math import isfinite
from typing import Any
from urllib.parse import unquote

from losi.json_schema.limits import Budget, JsonSchema, SchemaError
from losi.json_schema.regex import Pattern

TYPES = ("string", "integer", "number", "boolean", "object", "array", "null")


class Document:
    """A root schema. It resolves its references and judges values, within a budget."""

    def __init__(self, root: Any, budget: Budget) -> None:
        self.budget = budget
        self._root = root
        self._patterns: dict[str, Pattern] = {}
        self._open: set[tuple[int, int]] = set()

    def resolve(self, reference: Any) -> Any:
        """Return the schema at a JSON pointer such as `#/$defs/city`."""
        if not isinstance(reference, str) or (reference != "#" and reference[:2] != "#/"):
            raise SchemaError(f"the reference {reference!r} does not start with '#/'")
        node = self._root
        for part in unquote(reference[2:]).split("/") if reference != "#" else ():
            key = part.replace("~1", "/").replace("~0", "~")
            if (
                isinstance(node, list)
                and len(key) < 10
                and key.isdecimal()
                and int(key) < len(node)
            ):
                node = node[int(key)]
            elif isinstance(node, dict) and key in node:
                node = node[key]
            else:
                raise SchemaError(f"the reference '{reference}' leads nowhere")
        return node

    def pattern(self, source: Any) -> Pattern:
        if not isinstance(source, str):
            raise SchemaError("a pattern must be a string")
        if source not in self._patterns:
            self._patterns[source] = Pattern(source, self.budget)
        return self._patterns[source]

    def accepts(self, schema: Any, value: Any) -> bool:
        self.budget.spend(weight(schema))
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            raise SchemaError("a schema in it is neither an object nor a boolean")
        key = (id(schema), id(value))
        if key in self._open:  # a reference that leads back to itself adds nothing
            return True
        self._open.add(key)
        try:
            return all(check(self, schema, value) for check in _CHECKS)
        finally:
            self._open.remove(key)


def weight(schema: Any) -> int:
    """The steps that reading the schema itself costs: its lists may be long."""
    if not isinstance(schema, dict):
        return 1
    return 1 + sum(len(part) for part in schema.values() if isinstance(part, list | dict))


def count(schema: JsonSchema, keyword: str, default: int = 0) -> int:
    value = schema.get(keyword, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or value % 1:
        raise SchemaError(f"'{keyword}' must be a whole number of at least 0")
    return int(value)


def number(schema: JsonSchema, keyword: str) -> Fraction | None:
    value = schema.get(keyword)
    if value is None or isinstance(value, bool):
        return None
    if not is_number(value):
        raise SchemaError(f"'{keyword}' must be a number")
    return Fraction(str(value))


def subschemas(schema: JsonSchema, keyword: str) -> list[Any]:
    value = schema.get(keyword, [])
    if not isinstance(value, list):
        raise SchemaError(f"'{keyword}' must be an array")
    return value


def mapping(schema: JsonSchema, keyword: str) -> JsonSchema:
    value = schema.get(keyword, {})
    if not isinstance(value, dict):
        raise SchemaError(f"'{keyword}' must be an object")
    return value


def names(schema: JsonSchema, keyword: str) -> list[str]:
    value = schema.get(keyword, [])
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise SchemaError(f"'{keyword}' must be an array of strings")
    return value


def types(schema: JsonSchema) -> list[str]:
    named = schema.get("type", list(TYPES))
    listed = [named] if isinstance(named, str) else named
    if not isinstance(listed, list) or not all(isinstance(t, str) and t in TYPES for t in listed):
        raise SchemaError(f"'type' must be one or more of {', '.join(TYPES)}")
    return listed


def bounds(schema: JsonSchema) -> tuple[Fraction | None, bool, Fraction | None, bool]:
    """Lower bound, whether it is excluded, upper bound, whether it is excluded."""
    low, high = number(schema, "minimum"), number(schema, "maximum")
    above, below = number(schema, "exclusiveMinimum"), number(schema, "exclusiveMaximum")
    low_open = schema.get("exclusiveMinimum") is True
    high_open = schema.get("exclusiveMaximum") is True
    if above is not None and (low is None or above >= low):
        low, low_open = above, True
    if below is not None and (high is None or below <= high):
        high, high_open = below, True
    return low, low_open, high, high_open


def step(schema: JsonSchema) -> Fraction | None:
    found = number(schema, "multipleOf")
    if found is not None and found <= 0:
        raise SchemaError("'multipleOf' must be greater than 0")
    return found


def prefix_and_rest(schema: JsonSchema) -> tuple[list[Any], Any]:
    """The schemas of an array's first items, and the schema of the rest."""
    if isinstance(schema.get("items"), list):
        return subschemas(schema, "items"), schema.get("additionalItems", True)
    return subschemas(schema, "prefixItems"), schema.get("items", True)


def dependents(schema: JsonSchema) -> dict[str, list[str]]:
    """Property names, and the names that each requires."""
    old = {k: v for k, v in mapping(schema, "dependencies").items() if isinstance(v, list)}
    both = {**old, **mapping(schema, "dependentRequired")}
    return {name: names(both, name) for name in both}


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: 1 is 1.0, but not true."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) and isinstance(one, bool) is isinstance(other, bool)


def frozen(value: Any) -> Hashable:
    """A value that is equal for equal JSON, for lookups."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, dict):
        return frozenset((name, frozen(item)) for name, item in value.items())
    if isinstance(value, list):
        return ("array", *map(frozen, value))
    return value  # type: ignore[no-any-return]


def is_number(value: Any) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _has_type(name: str, value: Any) -> bool:
    if name == "integer":
        return is_number(value) and value % 1 == 0
    if name == "number":
        return is_number(value)
    kinds = {"string": str, "boolean": bool, "object": dict, "array": list, "null": type(None)}
    return isinstance(value, kinds[name])


def _check_values(_: Document, schema: JsonSchema, value: Any) -> bool:
    if "type" in schema and not any(_has_type(name, value) for name in types(schema)):
        return False
    if "const" in schema and not same(schema["const"], value):
        return False
    return "enum" not in schema or any(same(one, value) for one in subschemas(schema, "enum"))


def _check_combined(document: Document, schema: JsonSchema, value: Any) -> bool:
    def accepts(other: Any) -> bool:
        return document.accepts(other, value)

    if "$ref" in schema and not accepts(document.resolve(schema["$ref"])):
        return False
    if not all(map(accepts, subschemas(schema, "allOf"))):
        return False
    if "anyOf" in schema and not any(map(accepts, subschemas(schema, "anyOf"))):
        return False
    if "oneOf" in schema and sum(map(accepts, subschemas(schema, "oneOf"))) != 1:
        return False
    if "not" in schema and accepts(schema["not"]):
        return False
    if "if" in schema:
        return accepts(schema.get("then" if accepts(schema["if"]) else "else", True))
    return True


def _check_number(_: Document, schema: JsonSchema, value: Any) -> bool:
    if not is_number(value):
        return True
    exact = Fraction(str(value))
    low, low_open, high, high_open = bounds(schema)
    if low is not None and (exact < low or (low_open and exact == low)):
        return False
    if high is not None and (exact > high or (high_open and exact == high)):
        return False
    divisor = step(schema)
    if divisor is None:
        return True
    # also in the floating point of most validators, where 0.3 is no multiple of 0.1
    return exact % divisor == 0 and (value / float(divisor)) % 1 == 0


def _check_string(document: Document, schema: JsonSchema, value: Any) -> bool:
    if not isinstance(value, str):
        return True
    if not count(schema, "minLength") <= len(value) <= count(schema, "maxLength", len(value)):
        return False
    return "pattern" not in schema or document.pattern(schema["pattern"]).search(value)


def _check_array(document: Document, schema: JsonSchema, value: Any) -> bool:
    if not isinstance(value, list):
        return True
    if not count(schema, "minItems") <= len(value) <= count(schema, "maxItems", len(value)):
        return False
    if schema.get("uniqueItems") is True and len(set(map(frozen, value))) < len(value):
        return False
    prefix, rest = prefix_and_rest(schema)
    for position, item in enumerate(value):
        if not document.accepts(prefix[position] if position < len(prefix) else rest, item):
            return False
    if "contains" not in schema:
        return True
    found = sum(document.accepts(schema["contains"], item) for item in value)
    return count(schema, "minContains", 1) <= found <= count(schema, "maxContains", found)


def _check_object(document: Document, schema: JsonSchema, value: Any) -> bool:
    if not isinstance(value, dict):
        return True
    if not all(name in value for name in names(schema, "required")):
        return False
    sizes = (count(schema, "minProperties"), count(schema, "maxProperties", len(value)))
    if not sizes[0] <= len(value) <= sizes[1]:
        return False
    for name, brought in dependents(schema).items():
        if name in value and not all(other in value for other in brought):
            return False
    for keyword in ("dependentSchemas", "dependencies"):
        for name, other in mapping(schema, keyword).items():
            if name in value and not isinstance(other, list) and not document.accepts(other, value):
                return False
    return all(
        document.accepts(schema.get("propertyNames", True), name)
        and all(document.accepts(other, item) for other in property_schemas(document, schema, name))
        for name, item in value.items()
    )


def property_schemas(document: Document, schema: JsonSchema, name: str) -> list[Any]:
    """What this one schema says about the property, without the schemas beside it."""
    declared = mapping(schema, "properties")
    found = [declared[name]] if name in declared else []
    for source, other in mapping(schema, "patternProperties").items():
        if document.pattern(source).search(name):
            found.append(other)
    if not found and "additionalProperties" in schema:
        found.append(schema["additionalProperties"])
    return found


_CHECKS: tuple[Callable[[Document, JsonSchema, Any], bool], ...] = (
    _check_values,
    _check_combined,
    _check_number,
    _check_string,
    _check_array,
    _check_object,
)
