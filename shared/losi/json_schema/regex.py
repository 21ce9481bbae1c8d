"""Regular expressions without backtracking: match a JSON Schema `pattern`, or write texts for it.

The patterns are callers' own, and `re` takes exponential time on some. Here a pattern becomes a
nondeterministic automaton whose states are walked all at once, so that time is bounded, and the
same walk finds the shortest text that several patterns and a length accept together.

ECMA-262's syntax, which JSON Schema names, without look-around, back references, word boundaries
and Unicode properties. `\\d`, `\\w` and `\\s` mean what they mean there.
"""

from collections.abc import Iterator, Sequence

from losi.json_schema.limits import Budget, SchemaError
from losi.json_schema.regex_parser import LAST, Anchor, Chars, Choice, Node, Repeat, Series, parse

States = frozenset[int]

_MAX_STATES = 3_000
#: The characters, in the order in which generated text prefers them.
_PREFERRED = "a1A -_.@/:" + "".join(map(chr, range(33, 127)))


class Pattern:
    """A compiled pattern. In state 0 a search waits for the pattern to begin."""

    def __init__(self, source: str, budget: Budget) -> None:
        self._budget = budget
        self._edges: list[list[tuple[Chars, int]]] = []
        self._free: list[list[tuple[str, int]]] = []
        waiting, begin = self._state(), self._state()
        self._edges[waiting].append((Chars(((0, LAST),)), waiting))
        self._free[waiting].append(("", begin))
        self._accept = self._build(parse(source), begin)
        self._edges[self._accept].append((Chars(((0, LAST),)), self._accept))

    def search(self, text: str) -> bool:
        states = self.start()
        for character in text:
            states = self.step(states, character)
        return self.accepts(states, at_start=not text)

    def start(self) -> States:
        return self._closure([0], "^")

    def step(self, states: States, character: str) -> States:
        self._budget.spend(len(states))
        code = ord(character)
        return self._closure(
            [target for s in states for chars, target in self._edges[s] if code in chars], ""
        )

    def accepts(self, states: States, *, at_start: bool) -> bool:
        return self._accept in self._closure(list(states), "^$" if at_start else "$")

    def alphabet(self) -> set[Chars]:
        return {chars for edges in self._edges for chars, _ in edges}

    def _closure(self, stack: list[int], anchors: str) -> States:
        """All states reached without reading a character, through the anchors that hold here."""
        found = set(stack)
        while stack:
            state = stack.pop()
            self._budget.spend()
            for anchor, target in self._free[state]:
                if anchor in anchors and target not in found:
                    found.add(target)
                    stack.append(target)
        return frozenset(found)

    def _state(self) -> int:
        self._budget.spend()
        self._edges.append([])
        self._free.append([])
        if len(self._edges) > _MAX_STATES:
            raise SchemaError("the sandbox cannot use so complex a pattern; shorten it")
        return len(self._edges) - 1

    def _build(self, node: Node, start: int) -> int:
        """Append `node` after state `start`; return the state that follows."""
        self._budget.spend()
        match node:
            case Chars() | Anchor():
                end = self._state()
                if isinstance(node, Chars):
                    self._edges[start].append((node, end))
                else:
                    self._free[start].append((node.kind, end))
                return end
            case Series(parts):
                for part in parts:
                    start = self._build(part, start)
                return start
            case Choice(parts):
                end = self._state()
                for part in parts:
                    self._free[self._build(part, start)].append(("", end))
                return end
            case Repeat():
                return self._build_repeat(node, start)

    def _build_repeat(self, node: Repeat, start: int) -> int:
        for _ in range(node.low):
            start = self._build(node.part, start)
        end = self._state()
        if node.high is None:
            loop = self._state()
            self._free[start].append(("", loop))
            self._free[self._build(node.part, loop)].append(("", loop))
            self._free[loop].append(("", end))
            return end
        for _ in range(node.high - node.low):
            self._free[start].append(("", end))
            start = self._build(node.part, start)
        self._free[start].append(("", end))
        return end


def spell(patterns: Sequence[Pattern], low: int, high: int, budget: Budget) -> Iterator[str]:
    """Yield texts of `low` to `high` characters that every pattern accepts, the shortest first."""
    alphabet = _representatives(patterns, budget)
    frontier: dict[tuple[States, ...], str] = {tuple(p.start() for p in patterns): ""}
    for length in range(high + 1):
        if length >= low:
            for states, text in frontier.items():
                if all(
                    p.accepts(s, at_start=not text) for p, s in zip(patterns, states, strict=True)
                ):
                    yield text
        following: dict[tuple[States, ...], str] = {}
        for states, text in frontier.items():
            for character in alphabet:
                budget.spend()
                after = tuple(p.step(s, character) for p, s in zip(patterns, states, strict=True))
                if all(after) and after not in following:
                    following[after] = text + character
        frontier = following


def variations(text: str, patterns: Sequence[Pattern]) -> Iterator[str]:
    """Yield other texts that differ in one character and also match."""
    for position in reversed(range(len(text))):
        for character in "abcdefghijklmnopqrstuvwxyz0123456789":
            other = text[:position] + character + text[position + 1 :]
            if other != text and all(pattern.search(other) for pattern in patterns):
                yield other


def _representatives(patterns: Sequence[Pattern], budget: Budget) -> list[str]:
    """One character of each class of characters that the patterns distinguish."""
    sets = sorted({chars for p in patterns for chars in p.alphabet()}, key=lambda c: c.ranges)
    bounds = [bound for chars in sets for pair in chars.ranges for bound in pair]
    budget.spend(len(sets) * len(bounds) // 10)
    found: dict[tuple[bool, ...], str] = {}
    for code in [*map(ord, _PREFERRED), *bounds]:
        if not 0xD800 <= code <= 0xDFFF:  # lone surrogates are not text
            found.setdefault(tuple(code in chars for chars in sets), chr(code))
    return list(found.values())
