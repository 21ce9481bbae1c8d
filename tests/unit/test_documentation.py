"""docs/promises.md: every sentence of the documentation has a page that says it and a test."""

from __future__ import annotations

import re
from functools import cache
from html import unescape

import pytest

from local.site.console import console_documents
from local.site.docs import docs_documents
from tests.documentation import DOCUMENTATION, GUIDES, LANGUAGES, ROOT, sentences, units

#: It has blanks where a deployment has an address and a page.
WITH_BLANKS = "For questions or issues with the API, please contact our support team at or visit"


def rows() -> dict[str, tuple[str, str]]:
    """Sentence -> page and test."""
    table = (ROOT / "docs" / "promises.md").read_text("utf-8")
    found = re.findall(r"^\| (.+) \| `([^`]+)` \| `([^`]+)` \|$", table, re.MULTILINE)
    return {sentence: (page, test) for sentence, page, test in found}


@cache
def site() -> dict[str, str]:
    """The words of every page, by its path."""
    documents = {
        **console_documents("assets"),
        **docs_documents(GUIDES, ROOT / "docs" / "openapi.json", "assets"),
    }
    return {
        path.removesuffix("index.html"): unescape(re.sub(r"<[^>]+>", " ", text))
        for path, text in documents.items()
        if path.endswith(".html")
    }


def letters(text: str) -> str:
    return "".join(re.findall(r"[a-z0-9]", text.lower()))


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", text.lower()))


def test_the_documentation_is_read_whole() -> None:
    lines = DOCUMENTATION.read_text("utf-8").splitlines()
    whole = "".join(line for line in lines if line.strip() not in LANGUAGES)
    read = "".join(unit if isinstance(unit, str) else unit.text for unit in units())

    assert letters(read) == letters(whole)


def test_every_sentence_has_a_row_and_every_row_a_sentence() -> None:
    assert set(sentences()) - set(rows()) == set()
    assert set(rows()) - set(sentences()) == set()


@pytest.mark.parametrize(("sentence", "place"), rows().items(), ids=list(rows()))
def test_its_page_says_it_and_its_test_is_there(sentence: str, place: tuple[str, str]) -> None:
    page, test = place
    if sentence.endswith((".", ":")) and not sentence.startswith(WITH_BLANKS):
        said = letters(sentence) in letters(site()[page])  # word for word
    else:
        said = words(sentence) <= words(site()[page]) or letters(sentence) in letters(site()[page])
    assert said, f"{page} does not say it"

    file, name = test.split("::")
    assert f"def {name}(" in (ROOT / "tests" / file).read_text("utf-8"), f"{test} is not there"
