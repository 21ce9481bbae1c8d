"""A parser for the part of ECMA-262's regular expressions that the sandbox understands."""

from bisect import bisect
from collections.abc import Iterable
from dataclasses import dataclass

from losi.json_schema.limits import SchemaError

_MAX_LENGTH = 1_000
_MAX_NESTING = 50
_MAX_REPEAT = 2_000
LAST = 0x10FFFF

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Chars:
    """The characters of some ranges, which are sorted and do not overlap."""

    ranges: Ranges

    @classmethod
    def of(cls, ranges: Iterable[tuple[int, int]]) -> "Chars":
        merged: list[tuple[int, int]] = []
        for low, high in sorted(ranges):
            if merged and low <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
            else:
                merged.append((low, high))
        return cls(tuple(merged))

    def __contains__(self, code: int) -> bool:
        place = bisect(self.ranges, (code, LAST + 1)) - 1
        return place >= 0 and code <= self.ranges[place][1]

    def complement(self) -> "Chars":
        gaps, following = [], 0
        for low, high in self.ranges:
            if low > following:
                gaps.append((following, low - 1))
            following = high + 1
        return Chars((*gaps, (following, LAST)) if following <= LAST else tuple(gaps))


@dataclass(frozen=True, slots=True)
class Anchor:
    kind: str  # "^" or "$"


@dataclass(frozen=True, slots=True)
class Series:
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    part: "Node"
    low: int
    high: int | None


Node = Chars | Anchor | Series | Choice | Repeat

_DIGIT = Chars(((48, 57),))
_WORD = Chars(((48, 57), (65, 90), (95, 95), (97, 122)))
#: https://tc39.es/ecma262/#prod-WhiteSpace and line ends: all of Unicode's spaces, and the BOM.
_SPACE = Chars.of(
    [(9, 13), (0x2000, 0x200A), (0x2028, 0x2029)]
    + [(code, code) for code in (0x20, 0xA0, 0x1680, 0x202F, 0x205F, 0x3000, 0xFEFF)]
)
_DOT = Chars(((10, 10), (13, 13), (0x2028, 0x2029))).complement()
_CLASSES = {
    "d": _DIGIT,
    "D": _DIGIT.complement(),
    "w": _WORD,
    "W": _WORD.complement(),
    "s": _SPACE,
    "S": _SPACE.complement(),
}
_CONTROLS = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13, "0": 0}


def parse(source: str) -> Node:
    """Parse a pattern. Raises SchemaError if it is no regular expression, or a kind that is not
    supported.
    """
    parser = _Parser(source)
    if len(source) > _MAX_LENGTH:
        raise parser.refused(f"it is longer than {_MAX_LENGTH} characters")
    node = parser.choice(0)
    if parser.peek():
        raise parser.refused("there is a ')' without its '('")
    return node


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0

    def refused(self, why: str) -> SchemaError:
        shown = self._source if len(self._source) <= 60 else self._source[:57] + "..."
        return SchemaError(f"the sandbox cannot use the pattern '{shown}': {why}")

    def peek(self, length: int = 1) -> str:
        return self._source[self._at : self._at + length]

    def take(self, length: int = 1) -> str:
        taken = self.peek(length)
        if len(taken) < length:
            raise self.refused("it ends too early")
        self._at += length
        return taken

    def skip(self, text: str) -> bool:
        found = self.peek(len(text)) == text
        if found:
            self._at += len(text)
        return found

    def choice(self, depth: int) -> Node:
        if depth > _MAX_NESTING:
            raise self.refused("it is nested too deeply")
        parts = [self.series(depth)]
        while self.skip("|"):
            parts.append(self.series(depth))
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def series(self, depth: int) -> Node:
        parts: list[Node] = []
        while self.peek() not in ("", "|", ")"):
            parts.append(self.repeated(self.atom(depth)))
        return Series(tuple(parts))

    def atom(self, depth: int) -> Node:
        character = self.take()
        if character in "^$":
            return Anchor(character)
        if character == "(":
            return self.group(depth)
        if character == "[":
            return self.char_class()
        if character == ".":
            return _DOT
        if character == "\\":
            return self.escape()
        if character in "*+?":
            raise self.refused("there is nothing to repeat")
        return _single(ord(character))

    def group(self, depth: int) -> Node:
        if self.skip("?:"):
            pass
        elif self.skip("?<") or self.skip("?P<"):
            if self.peek() in ("=", "!"):
                raise self.refused("look-around is not supported")
            while self.take() != ">":
                pass
        elif self.peek() == "?":
            raise self.refused("look-around and inline flags are not supported")
        node = self.choice(depth + 1)
        if not self.skip(")"):
            raise self.refused("a '(' is not closed")
        return node

    def repeated(self, node: Node) -> Node:
        bounds = self.bounds()
        if bounds is None:
            return node
        self.skip("?")  # a lazy quantifier accepts the same texts
        low, high = bounds
        if max(low, high or 0) > _MAX_REPEAT:
            raise self.refused(f"it repeats something more than {_MAX_REPEAT} times")
        if high is not None and high < low:
            raise self.refused("a repetition's bounds are out of order")
        return Repeat(node, low, high)

    def bounds(self) -> tuple[int, int | None] | None:
        for mark, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self.skip(mark):
                return bounds
        closing = self._source.find("}", self._at)
        if self.peek() != "{" or closing < 0:
            return None
        low, comma, high = self._source[self._at + 1 : closing].partition(",")
        numbers = (low, high) if high else (low,)
        if not all(n.isascii() and n.isdecimal() and len(n) < 10 for n in numbers):
            return None  # as in JavaScript, a brace that is no quantifier is a character
        self._at = closing + 1
        return int(low), int(high) if high else None if comma else int(low)

    def char_class(self) -> Chars:
        negated = self.skip("^")
        ranges: list[tuple[int, int]] = []
        while not self.skip("]"):
            first = self.class_member()
            if self.peek() == "-" and self.peek(2) != "-]":
                self.take()
                last = self.class_member()
                ranges += self.class_range(first, last)
            else:
                ranges += first.ranges
        chars = Chars.of(ranges)
        return chars.complement() if negated else chars

    def class_range(self, first: Chars, last: Chars) -> Ranges:
        low, high = first.ranges[0], last.ranges[-1]
        if low[0] != low[1] or high[0] != high[1]:  # [\w-.]: the dash means itself
            return (*first.ranges, (45, 45), *last.ranges)
        if high[0] < low[0]:
            raise self.refused("the bounds of a character range are out of order")
        return ((low[0], high[0]),)

    def class_member(self) -> Chars:
        character = self.take()
        if character != "\\":
            return _single(ord(character))
        if self.skip("b"):
            return _single(8)
        return self.escape()

    def escape(self) -> Chars:
        character = self.take()
        if character in _CLASSES:
            return _CLASSES[character]
        if character in _CONTROLS:
            return _single(_CONTROLS[character])
        if character in "xu":
            return _single(self.hexadecimal(2 if character == "x" else 4))
        if character.isalnum():
            raise self.refused(f"'\\{character}' is not supported")
        return _single(ord(character))

    def hexadecimal(self, digits: int) -> int:
        text = self.take(digits)
        try:
            return int(text, 16)
        except ValueError:
            raise self.refused(f"'{text}' is not a hexadecimal number") from None


def _single(code: int) -> Chars:
    return Chars(((code, code),))
