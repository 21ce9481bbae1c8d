"""The colours of the stylesheet, as WCAG 2.2 measures them: text at 4.5 to 1, the rest at 3 to 1.

https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
"""

from __future__ import annotations

import re

import pytest

from local.site.build import SOURCE

STYLE = (SOURCE / "assets" / "style.css").read_text("utf-8")
PAIR = r"light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)"
TOKENS = {
    name: {"light": light, "dark": dark}
    for name, light, dark in re.findall(rf"--([a-z0-9-]+): {PAIR};", STYLE)
}
#: Of highlighted code: declared where it is used.
CODE = [
    {"light": light, "dark": dark} for light, dark in re.findall(rf"[{{ ]color: {PAIR} ", STYLE)
]
GROUNDS = ("page", "surface", "sunken")
TEXT = [
    *((text, ground) for text in ("text", "muted", "accent") for ground in GROUNDS),
    *((state, ground) for state in ("danger", "success", "warning") for ground in GROUNDS),
    *((state, f"{state}-tint") for state in ("accent", "danger", "success", "warning")),
    *(("text", f"{state}-tint") for state in ("accent", "danger", "success", "warning")),
    *(("on-accent", fill) for fill in ("accent", "accent-hover", "danger")),
    ("accent-hover", "page"),
]
SHAPES = [
    *(("control", ground) for ground in GROUNDS),
    *((f"series-{number}", ground) for number in range(1, 7) for ground in ("page", "surface")),
]


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_black_on_white_is_21_to_1() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT, ids=lambda name: str(name))
def test_text_is_read(text: str, ground: str, theme: str) -> None:
    assert contrast(TOKENS[text][theme], TOKENS[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("shape", "ground"), SHAPES, ids=lambda name: str(name))
def test_edges_and_bars_are_seen(shape: str, ground: str, theme: str) -> None:
    assert contrast(TOKENS[shape][theme], TOKENS[ground][theme]) >= 3


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_highlighted_code_is_read(theme: str) -> None:
    assert len(CODE) == 3
    for colour in CODE:
        assert contrast(colour[theme], TOKENS["surface"][theme]) >= 4.5


def test_no_colour_stands_outside_of_the_tokens() -> None:
    rules = STYLE.partition("@layer base")[2]
    own = set(re.findall(r"#[0-9a-f]{3,8}\b", rules)) - {c for pair in CODE for c in pair.values()}
    assert own == set()


def test_a_theme_changes_nothing_but_colours_and_a_line_around_dialogs() -> None:
    """`light-dark()` makes colours alone (https://drafts.csswg.org/css-color-5/#light-dark):
    tests/browser/test_pages.py sees both themes on one visit.
    """
    sources = "".join(
        path.read_text("utf-8") for path in SOURCE.rglob("*") if path.suffix in (".css", ".js")
    )
    assert "light-dark(" in sources
    line = "dialog { border: 1px solid var(--control) }"
    assert re.findall(r"prefers-color-scheme.*", sources) == [
        f"prefers-color-scheme: dark) {{ {line} }}"
    ]
    chosen = re.findall(r"html\[data-theme=(\w+)\] (.*)", sources)
    assert chosen == [
        ("light", "{ color-scheme: light }"),
        ("dark", "{ color-scheme: dark }"),
        ("dark", line),
    ]
