"""DynamoDB's expressions as a model: what conditions, filters and updates say of an item.

It holds what this project uses of the language and raises `ValidationError` for the rest, and where
DynamoDB answers ValidationException:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path as File
from typing import Any

from tests.dynamodb_items import Item, ValidationError, check_value

Path = tuple[str | int, ...]

#: Bytes of one expression at most:
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
LONGEST = 4_096
_EXPRESSIONS = (
    "UpdateExpression",
    "ConditionExpression",
    "KeyConditionExpression",
    "FilterExpression",
)
_TOKEN = re.compile(r"\s*(<=|>=|<>|[#:]?\w+|\S)")
_PLACEHOLDER = re.compile(r"[#:]\w+")
_KEYWORDS = {"SET", "ADD", "REMOVE"}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


#: How a key condition may compare the sort key.
_BY_SORT_KEY = {*_COMPARE, "between", "begins_with"}


class Expressions:
    """The expressions of one request, with what it gives for their placeholders."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._names = request.get("ExpressionAttributeNames", {})
        self._values = request.get("ExpressionAttributeValues", {})
        texts = [request[name] for name in _EXPRESSIONS if name in request]
        if any(len(text.encode()) > LONGEST for text in texts):
            raise ValidationError("Expression size has exceeded the maximum allowed size")
        if set(_PLACEHOLDER.findall(" ".join(texts))) != {*self._names, *self._values}:
            raise ValidationError("a placeholder that is unused or undefined")
        for value in self._values.values():
            check_value(value)

    def met(self, text: str, item: Item) -> bool:
        """Whether the item is as the condition or filter wants it."""
        return self._condition(_parsed(text), item)

    def partition(self, key_condition: str) -> str:
        """Whose items a key condition wants."""
        wanted = None
        for part in _conjunction(_parsed(key_condition)):
            path = part[2] if part[0] == "compare" else part[1]
            attribute, by = self._path(path)[0], part[1] if part[0] == "compare" else part[0]
            if attribute == "pk" and by == "=":
                wanted = self._value(part[3], {})
            elif attribute != "sk" or by not in _BY_SORT_KEY:
                raise ValidationError("Query key condition not supported")
            elif by == "begins_with" and not self._value(part[2], {}).get("S"):
                raise ValidationError("a key is never empty")
        if wanted is None:
            raise ValidationError("Query condition missed key schema element: pk")
        found: str = wanted["S"]
        return found

    def attributes(self, text: str) -> set[str | int]:
        """The attributes that a condition names."""
        return {self._path(tree)[0] for tree in _paths(_parsed(text))}

    def writes(self, text: str) -> list[tuple[Path, str, Any]]:
        """Path, kind and value of each clause of an update."""
        clauses = [(self._path(path), kind, value) for kind, path, value in _update(text)]
        paths = [path for path, _, _ in clauses]
        for number, path in enumerate(paths):
            others = paths[:number] + paths[number + 1 :]
            if any(other[: len(path)] == path for other in others):
                raise ValidationError("Two document paths overlap with each other")
        return clauses

    def changed(self, writes: list[tuple[Path, str, Any]], item: Item) -> Item:
        """The item after the update. Every value is read from it as it was."""
        new = [(path, self._new(kind, path, value, item)) for path, kind, value in writes]
        for path, value in new:
            item = _written({"M": item}, path, value)["M"]
        return item

    def _path(self, tree: Any) -> Path:
        return tuple(self._names[step] if str(step).startswith("#") else step for step in tree[1])

    def _condition(self, tree: Any, item: Item) -> bool:
        match tree:
            case ("AND", left, right):
                return self._condition(left, item) and self._condition(right, item)
            case ("OR", left, right):
                return self._condition(left, item) or self._condition(right, item)
            case ("attribute_exists", path):
                return _read(item, self._path(path)) is not None
            case ("attribute_not_exists", path):
                return _read(item, self._path(path)) is None
            case ("begins_with", path, start):
                found, text = _read(item, self._path(path)), self._value(start, item)["S"]
                return found is not None and found.get("S", "").startswith(text)
            case ("between", path, first, last):
                ordered = (("compare", "<=", first, path), ("compare", "<=", path, last))
                return all(self._condition(each, item) for each in ordered)
            case ("compare", sign, left, right):
                return _compared(sign, self._operand(left, item), self._operand(right, item))
        raise ValidationError(f"Invalid expression: {tree}")

    def _operand(self, tree: Any, item: Item) -> Any:
        if tree[0] != "size":
            return self._value(tree, item)
        found = _read(item, self._path(tree[1]))
        if found is None:
            return None
        return {"N": str(len(found.get("M", found.get("L", found.get("S", "")))))}

    def _value(self, tree: Any, item: Item) -> Any:
        match tree:
            case ("value", name):
                return self._values[name]
            case ("path", _):
                return _read(item, self._path(tree))
            case ("if_not_exists", path, other):
                found = _read(item, self._path(path))
                return self._value(other, item) if found is None else found
            case ("+" | "-" as sign, left, right):
                one, other = self._value(left, item), self._value(right, item)
                if one is None or other is None:
                    raise ValidationError(
                        "The provided expression refers to an attribute that "
                        "does not exist in the item"
                    )
                second = _number(other) if sign == "+" else -_number(other)
                return {"N": str(_number(one) + second)}
        raise ValidationError(f"Invalid expression: {tree}")

    def _new(self, kind: str, path: Path, value: Any, item: Item) -> Any:
        if kind == "REMOVE":
            return None
        new = self._value(value, item)
        if kind == "ADD" and (there := _read(item, path)):
            new = {"N": str(_number(there) + _number(new))}
        if new is None:
            raise ValidationError(
                "The provided expression refers to an attribute that does not exist in the item"
            )
        return new


def _number(value: Any) -> int:
    if "N" not in value:
        raise ValidationError("An operand in the update expression has an incorrect data type")
    return int(value["N"])


def _read(item: Item, path: Path) -> Any:
    """The attribute in DynamoDB's form, or None."""
    value: Any = {"M": item}
    for step in path:
        inner = value.get("L" if isinstance(step, int) else "M")
        if inner is None:
            return None
        if isinstance(step, int):
            value = inner[step] if step < len(inner) else None
        else:
            value = inner.get(step)
        if value is None:
            return None
    return value


def _compared(sign: str, left: Any, right: Any) -> bool:
    """Values of two types equal nothing and have no order; nor has what is missing."""
    if sign == "<>":
        return not _compared("=", left, right)
    if left is None or right is None or [*left] != [*right]:
        return False
    [(kind, one)], [other] = left.items(), right.values()
    if kind == "N":
        one, other = int(one), int(other)
    elif kind == "SS":
        one, other = set(one), set(other)
    return _COMPARE[sign](one, other)


def _written(value: Any, path: Path, new: Any) -> Any:
    """A copy with the attribute at the path set, or removed by None; what is not on the path is
    shared with the original.
    """
    if not path:
        return new
    step, rest = path[0], path[1:]
    kind = "L" if isinstance(step, int) else "M"
    if kind not in value:
        raise ValidationError(
            "The document path provided in the update expression is invalid for update"
        )
    inner = value[kind].copy()
    known = step in inner if isinstance(step, str) else step < len(inner)
    if rest and not known:
        if new is None:
            return value
        raise ValidationError(
            "The document path provided in the update expression is invalid for update"
        )
    below = _written(inner[step] if rest else None, rest, new)
    if below is not None and (known or kind == "M"):
        inner[step] = below
    elif below is not None:
        inner.append(below)
    elif known:
        del inner[step]
    return {kind: inner}


def _paths(tree: Any) -> Iterator[Any]:
    if tree[0] == "path":
        yield tree
    else:
        for part in tree[1:]:
            if isinstance(part, tuple):
                yield from _paths(part)


def _conjunction(tree: Any) -> Iterator[Any]:
    if tree[0] == "AND":
        yield from _conjunction(tree[1])
        yield from _conjunction(tree[2])
    else:
        yield tree


@cache
def _reserved() -> frozenset[str]:
    """Words that name no attribute in an expression, as moto ships DynamoDB's list of them:
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html
    """
    moto = find_spec("moto")
    assert moto is not None and moto.submodule_search_locations
    listed = File(moto.submodule_search_locations[0]) / "dynamodb/parsing/reserved_keywords.txt"
    return frozenset(listed.read_text().split())


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = [match[1] for match in _TOKEN.finditer(text)]
        self._at = 0

    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token != expected):
            raise ValidationError(f"'{token}' where '{expected}' should be")
        self._at += 1
        return token

    def whole_condition(self) -> Any:
        tree = self.either()
        if self.peek():
            raise ValidationError(f"'{self.peek()}' after the condition")
        return tree

    def either(self) -> Any:
        left = self.both()
        while self.peek() == "OR":
            self.take()
            left = ("OR", left, self.both())
        return left

    def both(self) -> Any:
        left = self.one()
        while self.peek() == "AND":
            self.take()
            left = ("AND", left, self.one())
        return left

    def one(self) -> Any:
        if self.peek() == "(":
            self.take()
            inner = self.either()
            self.take(")")
            return inner
        if self.peek() in ("attribute_exists", "attribute_not_exists", "begins_with"):
            return self.function()
        left = self.operand()
        sign = self.take()
        if sign == "BETWEEN":
            first = self.operand()
            self.take("AND")
            return ("between", left, first, self.operand())
        if sign != "<>" and sign not in _COMPARE:
            raise ValidationError(f"'{sign}' compares nothing")
        return ("compare", sign, left, self.operand())

    def function(self) -> Any:
        name = self.take()
        self.take("(")
        arguments = [self.path()]
        while self.peek() == ",":
            self.take()
            arguments.append(self.operand())
        self.take(")")
        return (name, *arguments)

    def operand(self) -> Any:
        if self.peek() in ("size", "if_not_exists"):
            return self.function()
        return ("value", self.take()) if self.peek().startswith(":") else self.path()

    def path(self) -> Any:
        steps: list[str | int] = [self.name()]
        while self.peek() in (".", "["):
            if self.take() == ".":
                steps.append(self.name())
            else:
                steps.append(int(self.take()))
                self.take("]")
        return ("path", tuple(steps))

    def name(self) -> str:
        name = self.take()
        if name.upper() in _reserved():
            raise ValidationError(f"Attribute name is a reserved keyword; reserved keyword: {name}")
        if not re.fullmatch(r"#\w+|[A-Za-z]\w*", name):
            raise ValidationError(f"'{name}' names no attribute")
        return name

    def clauses(self) -> Any:
        found, seen = [], set[str]()
        while self.peek():
            kind = self.take()
            if kind not in _KEYWORDS or kind in seen:
                raise ValidationError(f"'{kind}' begins no clause, or begins a second one")
            seen.add(kind)
            while True:
                found.append(self.clause(kind))
                if self.peek() != ",":
                    break
                self.take()
        return found

    def clause(self, kind: str) -> Any:
        path = self.path()
        if kind == "REMOVE":
            return kind, path, None
        if kind == "ADD":
            return kind, path, self.operand()
        self.take("=")
        value = self.operand()
        if self.peek() in ("+", "-"):
            value = (self.take(), value, self.operand())
        return kind, path, value


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Any:
    return _Parser(text).whole_condition()


@lru_cache(maxsize=4096)
def _update(text: str) -> Any:
    return _Parser(text).clauses()
