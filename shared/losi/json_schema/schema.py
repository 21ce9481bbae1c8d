"""A value that fits a JSON Schema: the arguments and structured answers of the sandbox.

A value must fit several schemas at once (a property may be spoken of in many places), so the
unit of work is a *conjunction* of schemas. References and `allOf` are followed, one alternative
of every `anyOf`, `oneOf` and `if` is chosen, a small value is proposed for what is left, and
`Document.accepts` has the last word; if it refuses, the next value or alternative is tried.

Optional properties are left out and arrays get one item, or none where they may have none and
the item would contain them again.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from losi.json_schema.limits import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_ITEMS,
    Budget,
    JsonSchema,
    SchemaError,
)
from losi.json_schema.regex import spell
from losi.json_schema.scalars import numbers, strings
from losi.json_schema.validation import (
    TYPES,
    Document,
    count,
    dependents,
    frozen,
    mapping,
    names,
    prefix_and_rest,
    property_schemas,
    subschemas,
    types,
    weight,
)

Conjunction = tuple[JsonSchema, ...]

#: How many proposals may be refused in a row before the next type or alternative gets a turn.
_PATIENCE = 60
_NESTED = ("object", "array")
_ANNOTATIONS = {"title", "description"}
_HINTS = {
    "object": ("properties", "required", "additionalProperties", "minProperties"),
    "array": ("items", "prefixItems", "minItems", "contains"),
    "string": ("pattern", "minLength", "maxLength", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}


def instance(schema: Any, budget: Budget, *, root_type: str | None = None) -> Any:
    """Return the first small value that fits. Raises SchemaError if none is found."""
    generator = _Generator(Document(schema, budget))
    demanded = ({"type": root_type},) if root_type else ()
    try:
        found = generator.first((*demanded, schema), frozenset(), 0)
    except RecursionError:
        raise SchemaError("its schemas are nested too deeply") from None
    except OverflowError:
        raise SchemaError("its numbers are too large") from None
    if found is None:
        raise SchemaError(
            "no value was found that fits it: it contradicts itself, or asks for a value of more "
            f"than {MAX_CHARACTERS} characters, {MAX_ITEMS} items or {MAX_DEPTH} levels"
        )
    return found.value


@dataclass(frozen=True, slots=True)
class _Value:
    """A value with its `size` in characters: values are shared, so walking one could take for
    ever.
    """

    value: Any
    size: int


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value is being made: the schemas around it, and its depth."""

    path: frozenset[int]
    depth: int


def _leaf(value: Any) -> _Value:
    return _Value(value, len(json.dumps(value)))


class _Generator:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._found: dict[tuple[frozenset[int], bool], _Value] = {}
        self._failed: dict[tuple[frozenset[int], bool], int] = {}

    def first(self, schemas: tuple[Any, ...], path: frozenset[int], depth: int) -> _Value | None:
        """The first value. It is remembered, because the same schemas occur many times in a
        tree.
        """
        schemas = tuple(map(self._target, schemas))
        ids = frozenset(map(id, schemas))
        key = (ids, not ids.isdisjoint(path))
        if key not in self._found:
            if depth >= self._failed.get(key, MAX_DEPTH + 1):
                return None
            found = next(self.values(schemas, path, depth), None)
            if found is None:
                self._failed[key] = depth
                return None
            self._found.setdefault(key, found)
        return self._found[key]

    def values(
        self, schemas: tuple[Any, ...], path: frozenset[int], depth: int
    ) -> Iterator[_Value]:
        """Yield different values that fit all the schemas, the plainest first."""
        seen = set()
        for conjunction in self._conjunctions(schemas, path):
            around = _Place(path, depth)
            for proposals in self._proposals(conjunction, around):
                refused = 0
                for proposal in proposals:
                    refused += 1
                    if refused > _PATIENCE:
                        break
                    if proposal.size > MAX_CHARACTERS or (key := frozen(proposal.value)) in seen:
                        continue
                    if all(self._document.accepts(schema, proposal.value) for schema in schemas):
                        seen.add(key)
                        refused = 0
                        yield proposal

    def _conjunctions(
        self, schemas: tuple[Any, ...], path: frozenset[int]
    ) -> Iterator[Conjunction]:
        """Yield every choice of alternatives, as the plain schemas that then apply together."""
        stack: list[tuple[list[Any], Conjunction, list[list[list[Any]]]]] = [
            (list(schemas), (), [])
        ]
        while stack:
            pending, plain, choices = stack.pop()
            self._document.budget.spend(1 + len(plain) + (len(choices[0]) if choices else 0))
            if not pending and not choices:
                yield plain
            elif not pending:
                ordered = sorted(choices[0], key=lambda chosen: self._recurs(chosen, path))
                stack += [(chosen, plain, choices[1:]) for chosen in reversed(ordered)]
            elif pending[0] is False:
                continue
            elif pending[0] is True or any(pending[0] is schema for schema in plain):
                stack.append((pending[1:], plain, choices))
            else:
                schema = pending[0]
                self._document.budget.spend(weight(schema))
                more, alternatives = self._unfold(schema)
                stack.append((pending[1:] + more, (*plain, schema), choices + alternatives))

    def _unfold(self, schema: Any) -> tuple[list[Any], list[list[list[Any]]]]:
        """The schemas that apply together with this one, and its choices between alternatives."""
        if not isinstance(schema, dict):
            raise SchemaError("a schema in it is neither an object nor a boolean")
        more = list(subschemas(schema, "allOf"))
        if "$ref" in schema:
            more.append(self._document.resolve(schema["$ref"]))
        choices = [
            [[alternative] for alternative in subschemas(schema, keyword)]
            for keyword in ("anyOf", "oneOf")
            if keyword in schema
        ]
        if "if" in schema:
            choices.append([[schema["if"], schema.get("then", True)], [schema.get("else", True)]])
        return more, choices

    def _recurs(self, schemas: list[Any], path: frozenset[int]) -> bool:
        """Whether one of the schemas, or one it refers to, is already being made further out."""
        return any(id(schema) in path or id(self._target(schema)) in path for schema in schemas)

    def _target(self, schema: Any) -> Any:
        """The schema that a mere reference leads to."""
        for _ in range(MAX_DEPTH):
            if not isinstance(schema, dict) or schema.keys() - _ANNOTATIONS != {"$ref"}:
                break
            schema = self._document.resolve(schema["$ref"])
        return schema

    def _proposals(self, plain: Conjunction, place: _Place) -> Iterator[Iterator[_Value]]:
        """One stream of values for each kind of value; most streams never end."""
        for schema in plain:
            if "const" in schema or "enum" in schema:
                fixed = [schema["const"]] if "const" in schema else subschemas(schema, "enum")
                # every value gets a chance, however long the list is
                yield from (iter([self._given(value)]) for value in fixed)
                return
        self._document.budget.spend(10 * len(plain))
        examples = [e for s in plain if "examples" in s for e in subschemas(s, "examples")]
        defaults = [schema["default"] for schema in plain if "default" in schema]
        yield map(self._given, examples + defaults)
        recursive = any(id(schema) in place.path for schema in plain)
        inside = _Place(place.path | {id(schema) for schema in plain}, place.depth + 1)
        for name in _ordered_types(plain, recursive):
            yield self._of_type(name, plain, inside)

    def _given(self, value: Any) -> _Value:
        """Values that the schema itself names, and that may be long."""
        found = _leaf(value)
        self._document.budget.spend(found.size // 100)
        return found

    def _of_type(self, name: str, plain: Conjunction, inside: _Place) -> Iterator[_Value]:
        if name in _NESTED:
            if inside.depth > MAX_DEPTH:
                return iter(())
            return self._objects(plain, inside) if name == "object" else self._arrays(plain, inside)
        if name == "string":
            return map(_leaf, strings(self._document, plain))
        if name in ("integer", "number"):
            return map(_leaf, numbers(plain, whole=name == "integer"))
        return map(_leaf, (True, False) if name == "boolean" else (None,))

    def _objects(self, plain: Conjunction, inside: _Place) -> Iterator[_Value]:
        required = _required(plain, dict.fromkeys(n for s in plain for n in names(s, "required")))
        declared = dict.fromkeys(name for s in plain for name in mapping(s, "properties"))
        least = max((count(schema, "minProperties") for schema in plain), default=0)
        if max(least, len(required)) > MAX_ITEMS:
            return
        smallest = self._object(plain, required, least, inside)
        if smallest is not None:
            yield smallest
        whole = self._object(plain, _required(plain, {**required, **declared}), least, inside)
        for base in (smallest, whole):
            if base is not None:
                yield base
                yield from self._varied(plain, base, inside)

    def _varied(self, plain: Conjunction, base: _Value, inside: _Place) -> Iterator[_Value]:
        for name, item in reversed(base.value.items()):
            about = self._about(plain, name)
            for other in islice(self.values(about, inside.path, inside.depth), 1, None):
                size = base.size - len(json.dumps(item)) + other.size
                yield _Value({**base.value, name: other.value}, size)

    def _object(
        self, plain: Conjunction, wanted: dict[str, None], least: int, inside: _Place
    ) -> _Value | None:
        """Objects with these properties, and with invented ones until there are `least`."""
        demanded = {name for schema in plain for name in names(schema, "required")}
        made: dict[str, Any] = {}
        size = 2
        for name in chain(wanted, self._other_names(plain, least)):
            self._document.budget.spend(len(plain))
            if name not in wanted and len(made) >= least:
                break
            if name in made:
                continue
            item = self.first(self._about(plain, name), inside.path, inside.depth)
            if item is not None:
                made[name] = item.value
                size += item.size + len(name) + 4
            elif name in demanded:
                return None
            if size > MAX_CHARACTERS:
                return None
        return _Value(made, size)

    def _other_names(self, plain: Conjunction, least: int) -> Iterator[str]:
        yield from (name for schema in plain for name in mapping(schema, "properties"))
        naming = tuple(s["propertyNames"] for s in plain if "propertyNames" in s)
        if naming:
            text: tuple[Any, ...] = ({"type": "string"}, *naming)
            values = self.values(text, frozenset(), 0)
            yield from (found.value for found in islice(values, least))
        for schema in plain:
            for source in mapping(schema, "patternProperties"):
                pattern = self._document.pattern(source)
                yield from islice(spell([pattern], 1, 40, self._document.budget), least)
        yield from (f"property{number}" for number in range(1, least + 1))

    def _about(self, plain: Conjunction, name: str) -> tuple[Any, ...]:
        found = [s for p in plain for s in property_schemas(self._document, p, name)]
        if not found:
            found = [p["unevaluatedProperties"] for p in plain if "unevaluatedProperties" in p]
        return tuple(found)

    def _arrays(self, plain: Conjunction, inside: _Place) -> Iterator[_Value]:
        contained = sum(count(s, "minContains", 1) for s in plain if "contains" in s)
        least = max([contained, *(count(schema, "minItems") for schema in plain)])
        most = min([MAX_ITEMS, *(count(schema, "maxItems", MAX_ITEMS) for schema in plain)])
        again = self._recurs(list(self._item(plain, 0)), inside.path)
        lengths = [least if again else max(least, 1), least, least + 1, least + 2]
        for length in dict.fromkeys(lengths):
            if length > most or length > MAX_ITEMS:
                continue
            made = self._array(plain, length, inside)
            if made is None:
                continue
            yield made
            if length:
                others = self.values(self._item(plain, 0), inside.path, inside.depth)
                for other in islice(others, 1, None):
                    yield _Value([other.value, *made.value[1:]], made.size + other.size)

    def _array(self, plain: Conjunction, length: int, inside: _Place) -> _Value | None:
        unique = any(schema.get("uniqueItems") is True for schema in plain)
        made: list[Any] = []
        size = 2
        used = set()
        streams: dict[frozenset[int], Iterator[_Value]] = {}
        for position in range(length):
            schemas = self._item(plain, position)
            if unique:
                fresh = self.values(schemas, inside.path, inside.depth)
                stream = streams.setdefault(frozenset(map(id, schemas)), fresh)
                item = next((i for i in stream if frozen(i.value) not in used), None)
            else:
                item = self.first(schemas, inside.path, inside.depth)
            if item is None or size > MAX_CHARACTERS:
                return None
            made.append(item.value)
            size += item.size + 1
            if unique:
                used.add(frozen(item.value))
        return _Value(made, size)

    def _item(self, plain: Conjunction, position: int) -> tuple[Any, ...]:
        found: list[Any] = []
        passed = 0
        for schema in plain:
            prefix, rest = prefix_and_rest(schema)
            found.append(prefix[position] if position < len(prefix) else rest)
            if "contains" in schema:
                wanted = count(schema, "minContains", 1)
                if passed <= position < passed + wanted:
                    found.append(schema["contains"])
                passed += wanted
            if position >= len(prefix) and "items" not in schema:
                found.append(schema.get("unevaluatedItems", True))
        return tuple(found)


def _required(plain: Conjunction, wanted: dict[str, None]) -> dict[str, None]:
    """The required names, and all names that depend on them."""
    pending = list(wanted)
    for name in pending:
        for schema in plain:
            brought = [n for n in dependents(schema).get(name, ()) if n not in wanted]
            wanted.update(dict.fromkeys(brought))
            pending += brought
    return wanted


def _ordered_types(plain: Conjunction, recursive: bool) -> list[str]:
    """The types a value may have: first those that are named or hinted at, null last. Inside a
    value of the same schema, types that end the recursion come first.
    """
    allowed = [
        name
        for name in TYPES
        if all(name in (t := types(s)) or (name == "integer" and "number" in t) for s in plain)
    ]
    listed = [name for schema in plain if "type" in schema for name in types(schema)]
    hinted = [name for name in TYPES if any(h in s for s in plain for h in _HINTS.get(name, ()))]
    wished = [*listed, *hinted]

    def rank(name: str) -> tuple[bool, bool, int]:
        order = wished.index(name) if name in wished else len(wished)
        return (recursive and name in _NESTED, name == "null", order)

    return sorted(allowed, key=rank)
