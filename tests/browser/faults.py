"""What is wrong with a page as it is shown: what axe finds, and what is too wide."""

from typing import Any, Literal

from tests.browser.console import COLOUR_RULES, EVERY_RULE, Console, Size

SIZES = [Size(1280, 800), Size(390, 844)]
THEMES: list[tuple[Literal["light", "dark"], dict[str, Any]]] = [
    ("light", EVERY_RULE),
    ("dark", COLOUR_RULES),
]


def faults(console: Console, screenshot: str, full_page: bool) -> list[str]:
    """What axe finds, and what is too wide, in both themes. A theme changes little but colours
    (tests/unit/test_contrast.py), so that both are seen on one visit.
    """
    found = []
    for theme, rules in THEMES:
        console.page.emulate_media(color_scheme=theme)
        found += [f"{theme}: {each}" for each in console.violations(rules)]
        if console.sideways() > 0:
            found.append(f"{theme}: {console.sideways()} px too wide")
        console.page.screenshot(path=f"{screenshot}-{theme}.png", full_page=full_page)
    console.page.emulate_media(color_scheme="light")
    return found
