"""A model of DynamoDB's single-item writes: what the ledger's expressions do to items.

It holds what the ledger uses of DynamoDB's expression language and raises `ValidationError` where
DynamoDB answers ValidationException:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html
`tests/integration/test_ledger_faults.py` holds it against Amazon's DynamoDB Local, write by write.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from losi.store.client import partition
from losi.store.writes import Update, Written

Item = dict[str, Any]
Path = tuple[str | int, ...]

_TOKEN = re.compile(r"\s*(<=|>=|[#:]?\w+|[().,\[\]=<>+\-])")
_KEYWORDS = {"SET", "ADD", "REMOVE"}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: left == right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


class ValidationError(Exception):
    """DynamoDB would refuse the expression, whatever the item."""


class Table:
    """Items by partition and sort key. Every write is atomic."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Item] = {}

    def update(self, update: Update) -> Written:
        item = self._checked(update)
        if item is None:
            return Written(False, copy.deepcopy(self.items.get(_where(update))))
        self.items[_where(update)] = item
        return Written(True, copy.deepcopy(item))

    def transact(self, updates: Sequence[Update]) -> Written:
        after = [self._checked(update) for update in updates]
        if None in after:
            return Written(False, copy.deepcopy(self.items.get(_where(updates[0]))))
        for update, item in zip(updates, after, strict=True):
            assert item is not None
            self.items[_where(update)] = item
        return Written(True)

    def newest(self, account_id: str, first: str, last: str) -> list[Item]:
        found = sorted(
            sort for pk, sort in self.items if pk == partition(account_id) and first <= sort <= last
        )
        return [self.items[partition(account_id), sort] for sort in reversed(found)][:10]

    def _checked(self, update: Update) -> Item | None:
        """The item as the update leaves it; None when its condition is not met."""
        item = self.items.get(_where(update), {})
        run = _Run(item, update)
        condition = update.get("ConditionExpression")
        if condition and not run.condition(_condition(condition)):
            return None
        changed = run.changed(_update(update["UpdateExpression"]))
        run.all_used()
        return {**changed, **update["Key"]}


def _where(update: Update) -> tuple[str, str]:
    return update["Key"]["pk"]["S"], update["Key"]["sk"]["S"]


class _Run:
    """One expression on one item."""

    def __init__(self, item: Item, update: Update) -> None:
        self._item = item
        self._names = update.get("ExpressionAttributeNames", {})
        self._values = update.get("ExpressionAttributeValues", {})
        text = update["UpdateExpression"] + " " + update.get("ConditionExpression", "")
        self._used = set(re.findall(r"[#:]\w+", text))

    def all_used(self) -> None:
        if self._used != {*self._names, *self._values}:
            raise ValidationError("a placeholder that is unused or undefined")

    def path(self, tree: Any) -> Path:
        return tuple(self._names[p] if str(p).startswith("#") else p for p in tree[1])

    def read(self, path: Path) -> Any:
        """The attribute in DynamoDB's form, or None."""
        value: Any = {"M": self._item}
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

    def condition(self, tree: Any) -> bool:
        match tree:
            case ("AND", left, right):
                return self.condition(left) and self.condition(right)
            case ("OR", left, right):
                return self.condition(left) or self.condition(right)
            case ("attribute_exists", path):
                return self.read(self.path(path)) is not None
            case ("attribute_not_exists", path):
                return self.read(self.path(path)) is None
            case ("compare", operator, left, right):
                values = (self._comparable(left), self._comparable(right))
                return None not in values and _COMPARE[operator](*values)
        raise ValidationError(str(tree))

    def _comparable(self, tree: Any) -> Any:
        if tree[0] == "size":
            measured = self.read(self.path(tree[1]))
            return None if measured is None else len(measured.get("M", measured.get("L", ())))
        value = self.value(tree)
        return int(value["N"]) if value and "N" in value else value

    def value(self, tree: Any) -> Any:
        match tree:
            case ("value", name):
                return self._values[name]
            case ("path", _):
                return self.read(self.path(tree))
            case ("if_not_exists", path, other):
                found = self.read(self.path(path))
                return self.value(other) if found is None else found
            case ("+" | "-" as sign, left, right):
                one, other = self.value(left), self.value(right)
                if one is None or other is None:
                    raise ValidationError("an attribute of the expression does not exist")
                second = int(other["N"])
                return {"N": str(int(one["N"]) + (second if sign == "+" else -second))}
        raise ValidationError(str(tree))

    def changed(self, clauses: Any) -> Item:
        """Every value is read from the item as it was, then all is written."""
        writes = [(self.path(path), self._new(kind, path, v)) for kind, path, v in clauses]
        paths = [path for path, _ in writes]
        for path in paths:
            if any(other != path and other[: len(path)] == path for other in paths):
                raise ValidationError("paths overlap")
        if len(set(paths)) < len(paths):
            raise ValidationError("paths overlap")
        after = copy.deepcopy(self._item)
        for path, new in writes:
            _write(after, path, new)
        return after

    def _new(self, kind: str, path: Any, value: Any) -> Any:
        if kind == "REMOVE":
            return None
        new = self.value(value)
        if kind == "ADD":
            there = self.read(self.path(path))
            new = {"N": str(int(there["N"]) + int(new["N"]))} if there else new
        if new is None:
            raise ValidationError("an attribute of the expression does not exist")
        return new


def _write(item: Item, path: Path, new: Any) -> None:
    where: Any = {"M": item}
    for step in path[:-1]:
        inner = where.get("L" if isinstance(step, int) else "M", {})
        known = inner[step] if not isinstance(step, int) and step in inner else None
        if isinstance(step, int) and step < len(inner):
            known = inner[step]
        if known is None:
            if new is None:
                return
            raise ValidationError("the document path is invalid for update")
        where = known
    last = path[-1]
    if isinstance(last, int):
        if "L" not in where:
            raise ValidationError("the document path is invalid for update")
        if last < len(where["L"]):
            where["L"][last] = copy.deepcopy(new)
        else:
            where["L"].append(copy.deepcopy(new))
    elif new is None:
        where["M"].pop(last, None)
    elif "M" not in where:
        raise ValidationError("the document path is invalid for update")
    else:
        where["M"][last] = copy.deepcopy(new)


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
        if self.peek() in ("attribute_exists", "attribute_not_exists"):
            return self.function()
        left = self.operand()
        operator = self.take()
        return ("compare", operator, left, self.operand())

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
        steps: list[str | int] = [self.take()]
        while self.peek() in (".", "["):
            if self.take() == ".":
                steps.append(self.take())
            else:
                steps.append(int(self.take()))
                self.take("]")
        return ("path", tuple(steps))

    def clauses(self) -> Any:
        found = []
        while self.peek():
            kind = self.take()
            if kind not in _KEYWORDS:
                raise ValidationError(kind)
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
def _condition(text: str) -> Any:
    return _Parser(text).either()


@lru_cache(maxsize=4096)
def _update(text: str) -> Any:
    return _Parser(text).clauses()
