"""Propose numbers and strings for several schemas at once; callers must validate them."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import count as counting
from itertools import islice
from math import ceil, floor, lcm
from typing import Any

from losi.json_schema.limits import MAX_CHARACTERS, JsonSchema
from losi.json_schema.regex import spell, variations
from losi.json_schema.validation import Document, bounds, count, step

_WORD = "sandbox"
#: For every format an example, and a function that writes up to 1,000 others by number.
_FORMATS = {
    "date": ("2026-01-31", "2{:03}-01-31"),
    "date-time": ("2026-01-31T12:00:00Z", "2{:03}-01-31T12:00:00Z"),
    "time": ("12:00:00Z", "12:00:00.{:03}Z"),
    "duration": ("P1D", "P{}D"),
    "email": ("sandbox@example.com", "sandbox{}@example.com"),
    "hostname": ("example.com", "sandbox{}.example.com"),
    "ipv4": ("192.0.2.1", "192.0.2.{}"),
    "ipv6": ("2001:db8::1", "2001:db8::{}"),
    "uri": ("https://example.com/", "https://example.com/{}"),
    "uri-reference": ("/sandbox", "/sandbox/{}"),
    "uuid": ("00000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-{:012}"),
    "json-pointer": ("/sandbox", "/sandbox/{}"),
    "relative-json-pointer": ("0", "{}"),
    "byte": ("c2FuZGJveA==", "c2FuZGJve{:03}"),
}
_SAME_FORMAT = {
    "idn-email": "email",
    "idn-hostname": "hostname",
    "iri": "uri",
    "url": "uri",
    "iri-reference": "uri-reference",
    "uri-template": "uri-reference",
}


def numbers(plain: Sequence[JsonSchema], *, whole: bool) -> Iterator[int | float]:
    """Yield numbers near 1 within the bounds; only integers if `whole`."""
    low, low_open, high, high_open = _all_bounds(plain)
    steps = [found for schema in plain if (found := step(schema)) is not None]
    if steps or whole:
        common = _common([*steps, Fraction(1)] if whole else steps)
        yield from map(_plain, _multiples(common, low, low_open, high, high_open))
        return
    yield from map(_plain, islice(_multiples(Fraction(1), low, low_open, high, high_open), 1))
    yield from map(_plain, _between(low, high))
    yield from map(_plain, _multiples(Fraction(1, 4), low, low_open, high, high_open))


def strings(document: Document, plain: Sequence[JsonSchema]) -> Iterator[str]:
    low = max((count(schema, "minLength") for schema in plain), default=0)
    high = min((count(schema, "maxLength", MAX_CHARACTERS) for schema in plain), default=low + 64)
    if low > MAX_CHARACTERS or low > high:
        return
    for schema in plain:
        for text in _formatted(schema.get("format"), low):
            if low <= len(text) <= high:
                yield text
    patterns = [document.pattern(schema["pattern"]) for schema in plain if "pattern" in schema]
    if not patterns:
        yield _WORD[:high] if low <= len(_WORD) else (_WORD * (low // len(_WORD) + 1))[:low]
        yield from (_numbered(number, low, high) for number in counting(2))
    # a word reads better than the shortest text; the check refuses what does not match
    yield _WORD
    for found in spell(patterns, low, min(high, low + 2_000), document.budget):
        yield found
        yield from variations(found, patterns)


def _formatted(name: Any, low: int) -> Iterator[str]:
    """Yield texts of the format, made longer if it allows that."""
    name = _SAME_FORMAT.get(str(name), str(name))
    if name not in _FORMATS:
        return
    example, template = _FORMATS[name]
    filler = max(0, low - len(example)) * "x"
    if filler and name == "email":
        example, template = filler + example, filler + template
    elif filler and name.startswith("uri"):
        example, template = example + filler, template + filler
    yield example
    most = 254 if name == "ipv4" else 1_000
    yield from (template.format(number) for number in range(2, most))


def _numbered(number: int, low: int, high: int) -> str:
    text = str(number)
    return (_WORD * (low // len(_WORD) + 1))[: max(low, min(high, len(_WORD))) - len(text)] + text


def _all_bounds(
    plain: Sequence[JsonSchema],
) -> tuple[Fraction | None, bool, Fraction | None, bool]:
    every = [bounds(schema) for schema in plain]
    lows = [(low, low_open) for low, low_open, _, _ in every if low is not None]
    highs = [(high, not high_open) for _, _, high, high_open in every if high is not None]
    low, low_open = max(lows, default=(None, False))
    high, closed = min(highs, default=(None, True))
    return low, low_open, high, not closed


def _common(steps: list[Fraction]) -> Fraction:
    """The smallest number that is a multiple of all of them."""
    denominator = lcm(*(step.denominator for step in steps))
    return Fraction(lcm(*(int(step * denominator) for step in steps)), denominator)


def _multiples(
    unit: Fraction,
    low: Fraction | None,
    low_open: bool,
    high: Fraction | None,
    high_open: bool,
) -> Iterator[Fraction]:
    """Yield multiples of the unit within the bounds: the one nearest 1 first, then upwards, then
    downwards.
    """
    first = None if low is None else ceil(low / unit) + (low_open and low % unit == 0)
    last = None if high is None else floor(high / unit) - (high_open and high % unit == 0)
    if first is not None and last is not None and first > last:
        return
    start = max(1, ceil(1 / unit))
    start = start if first is None else max(start, first)
    start = start if last is None else min(start, last)
    for factor in counting(start):
        if last is not None and factor > last:
            break
        yield factor * unit
    for factor in counting(start - 1, -1):
        if first is not None and factor < first:
            break
        yield factor * unit


def _between(low: Fraction | None, high: Fraction | None) -> Iterator[Fraction]:
    half = Fraction(1, 2)
    if low is not None and high is not None:
        yield from (low + (high - low) * part for part in (half, half / 2, half / 4))
    elif low is not None:
        yield from (low + half, low + half / 2)
    elif high is not None:
        yield from (high - half, high - half / 2)
    else:
        yield half


def _plain(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)
