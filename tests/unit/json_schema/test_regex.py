"""Patterns are matched and spelled without backtracking."""

import re
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losi.json_schema.limits import Budget, SchemaError
from losi.json_schema.regex import Pattern, spell, variations
from losi.json_schema.regex_parser import Chars

PATTERNS = [
    "",
    "abc",
    "^$|^x",
    r"^\d{3}-\d{4}$",
    r"^[A-Z]{2,5}$",
    r"^(foo|bar)+$",
    r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$",
    r"^#?([a-f0-9]{6}|[a-f0-9]{3})$",
    r"^(?<year>[12]\d{3})-(?:0[1-9]|1[0-2])$",
    r"^[\w.-]+$",
    r"^[^\W\d]+$",
    r"^\+[1-9]\d{1,14}$",
    r"^v\d+(\.\d+){2}(-[0-9A-Za-z-.]+)?$",
    r"^[\u0430-\u044f]+\x21$",
    r"^.{5,}?$",
    r"\$\{[a-z]+\}",
]


def spelled(source: str, low: int = 0, high: int = 60) -> str | None:
    budget = Budget()
    return next(spell([Pattern(source, budget)], low, high, budget), None)


@pytest.mark.parametrize(
    ("source", "preferred"),
    [("[ -~]", "a"), ("[0-9]", "1"), ("[A-Z]", "A"), ("[ -/]", " "), ('["!]', "!"), ("[~}]", "}")],
)
def test_plain_characters_are_preferred(source: str, preferred: str) -> None:
    assert spelled(f"^{source}$") == preferred


def test_what_a_class_leaves_out_are_the_gaps_between_its_ranges() -> None:
    last = 0x10FFFF

    assert Chars(((0, 4), (6, 8))).complement() == Chars(((5, 5), (9, last)))
    assert Chars(((1, last),)).complement() == Chars(((0, 0),))
    assert Chars(((0, last),)).complement() == Chars(())


def test_halves_of_characters_are_not_written() -> None:
    assert spelled(r"^[\ud800-\udfff]$") is None
    assert spelled(r"^[\ud800-\ue000]$") == "\ue000"


def test_ranges_that_touch_are_one() -> None:
    assert Chars.of([(5, 8), (0, 4), (10, 12), (11, 11)]) == Chars(((0, 8), (10, 12)))


def test_variations_differ_in_one_character_from_the_last_on() -> None:
    pattern = Pattern("^(a[bx]|[cz]b)$", Budget())

    assert list(variations("ab", [pattern])) == ["ax", "cb", "zb"]


@pytest.mark.parametrize("source", PATTERNS)
def test_what_is_spelled_matches(source: str) -> None:
    text = spelled(source)

    assert text is not None
    assert re.search(source.replace("(?<", "(?P<"), text)


@pytest.mark.parametrize("source", PATTERNS)
@given(text=st.text(alphabet="abcfoxr0123456789-.@#x!$ AZ_\n", max_size=12))
def test_searching_agrees_with_the_standard_library(source: str, text: str) -> None:
    expected = re.search(
        source.replace("(?<", "(?P<").replace("$", r"\Z").replace(r"\\Z", r"\$"), text, re.ASCII
    )

    assert Pattern(source, Budget()).search(text) is bool(expected)


EVERY = "".join(map(chr, [*range(0x180), 0x1680, *range(0x2000, 0x2070), 0x3000, 0xFEFF, 0x1F600]))


@pytest.mark.parametrize(
    ("source", "members"),
    [
        (r"\d", "0123456789"),
        (r"\w", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"),
        (r"\D", "".join(character for character in EVERY if character not in "0123456789")),
        (r"[\W_]", "".join(c for c in EVERY if not (c.isascii() and c.isalnum()))),
        (
            r"\s",
            "".join(c for c in EVERY if c in "\t\n\v\f\r\u2028\u2029\ufeff" or category(c) == "Zs"),
        ),
        (r"\t", "\t"),
        (r"\n", "\n"),
        (r"\v", "\v"),
        (r"\f", "\f"),
        (r"\r", "\r"),
        (r"\0", "\0"),
        (r"[\b]", "\b"),
        (r"\x41", "A"),
        (r"\u0041", "A"),
        (r"\.", "."),
        ("[a-c]", "abc"),
        ("[a-a]", "a"),
        ("[ca-b]", "abc"),
        ("[a-]", "-a"),
        ("[-a]", "-a"),
        (r"[\d-x]", "-0123456789x"),
        ("[^\\0-\\u1fff]", "".join(c for c in EVERY if c > "\u1fff")),
        (r"[^.]", EVERY.replace(".", "")),
        (".", "".join(character for character in EVERY if character not in "\n\r\u2028\u2029")),
    ],
)
def test_a_class_holds_the_characters_that_ecmascript_says(source: str, members: str) -> None:
    """https://tc39.es/ecma262/#sec-compiletocharset"""
    pattern = Pattern(f"^{source}$", Budget())

    assert "".join(filter(pattern.search, EVERY)) == members


@pytest.mark.parametrize(
    ("source", "matching", "others"),
    [
        ("^(?:a|b|)$", ["", "a", "b"], ["ab", "c"]),
        ("^ab*$", ["a", "ab", "abb"], ["", "b"]),
        ("^ab+$", ["ab", "abb"], ["a"]),
        ("^ab?$", ["a", "ab"], ["abb"]),
        ("^ab{2}$", ["abb"], ["ab", "abbb"]),
        ("^ab{2,}$", ["abb", "abbb"], ["ab"]),
        ("^ab{1,2}$", ["ab", "abb"], ["a", "abbb"]),
        ("^ab{0}$", ["a"], ["ab"]),
        ("^a{,2}$", ["a{,2}"], ["", "a"]),
        ("^a{x}$", ["a{x}"], ["a"]),
        ("^a{1$", ["a{1"], ["a"]),
        ("^(?<x>a)(?P<y>b)$", ["ab"], ["a"]),
        ("a$|^b", ["ca", "bc"], ["ac", "cb"]),
    ],
)
def test_repetitions_and_groups_mean_what_javascript_says(
    source: str, matching: list[str], others: list[str]
) -> None:
    pattern = Pattern(source, Budget())

    assert [text for text in matching if not pattern.search(text)] == []
    assert [text for text in others if pattern.search(text)] == []


@pytest.mark.parametrize(
    ("longest", "beyond"),
    [
        ("a" * 1_000, "a" * 1_001),
        ("a{2000}", "a{2001}"),
        ("(" * 50 + ")" * 50, "(" * 51 + ")" * 51),
    ],
)
def test_a_pattern_is_taken_up_to_its_bounds(longest: str, beyond: str) -> None:
    Pattern(longest, Budget())
    with pytest.raises(SchemaError):
        Pattern(beyond, Budget())


def test_a_length_is_kept_where_the_pattern_leaves_room() -> None:
    assert spelled("^(ab)+$", low=5) == "ababab"
    assert spelled("^a$", low=2) is None


def test_several_patterns_are_spelled_together() -> None:
    budget = Budget()
    both = [Pattern("^[a-z]+$", budget), Pattern("xyz", budget)]

    assert next(spell(both, 4, 10, budget)) == "axyz"


def test_a_pattern_that_makes_backtracking_explode_is_searched_in_bounded_steps() -> None:
    budget = Budget()
    pattern = Pattern("^(a+)+$", budget)

    # 2^60 attempts for a backtracking engine, within the budget here
    assert not pattern.search("a" * 60 + "!")


@pytest.mark.parametrize(
    "source",
    ["(", ")", "[a", "*", "a(?=b)", "(?!x)", "(?<=x)y", r"\b", r"(a)\1", r"\p{L}", "[z-a]", "\\",
     r"\xzz", "a{2,1}", "a{9999}", "(" * 100, "a" * 2000, "((a{100}){100}){100}", "(?i)a", "(?<n"],
)  # fmt: skip
def test_a_pattern_that_is_not_understood_is_refused_in_plain_words(source: str) -> None:
    with pytest.raises(SchemaError, match="the sandbox cannot use"):
        Pattern(source, Budget())


def test_a_search_that_would_take_too_long_is_refused() -> None:
    budget = Budget()
    pattern = Pattern("(a|b)*a(a|b){18}$", budget)

    with pytest.raises(SchemaError, match="too many steps"):
        pattern.search("ab" * 100_000)


@given(st.text(alphabet="ab01(){}[]|*+?^$\\.,-:<=!dwsx", max_size=25))
def test_any_text_is_a_pattern_or_refused(source: str) -> None:
    try:
        text = spelled(source, high=20)
    except SchemaError:
        return
    if text is not None:
        assert Pattern(source, Budget()).search(text)
