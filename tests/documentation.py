"""The public documentation as data, and the samples of the docs, ready to be run.

The documentation is a copy of a page whose line breaks were lost inside its samples: where two or
more blanks stand, a line ended.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
DOCUMENTATION = Path(__file__).parent / "data" / "documentation" / "losi-api.txt"
GUIDES = ROOT / "docs" / "guides"
LANGUAGES = ("bash", "json", "javascript", "python")
#: A row of the table of parameters, whose columns ran together.
_PARAMETER = re.compile(
    r"([a-z_]+?)(string or array|string or object|string|array|number|integer|boolean|object)"
    r"(?=[A-Z])"
)
_BEGINS_CODE = ("{", "curl ", "const ", "import ", "from ", "client ", "response ", "while ")


@dataclass(frozen=True)
class Sample:
    language: str
    text: str
    #: The page that shows it.
    page: str = "losi-api.txt"

    @property
    def id(self) -> str:
        words = "-".join(re.findall(r"[a-z]+", self.text)[:6])
        return f"{self.page}-{self.language}-{words}"


def sentences() -> list[str]:
    """What the documentation says outside its samples: sentences, titles, rows of its tables."""
    return [unit for unit in units() if isinstance(unit, str)]


def documented_samples() -> list[Sample]:
    return [unit for unit in units() if isinstance(unit, Sample)]


def units() -> Iterator[str | Sample]:
    """Sentences and samples in their order."""
    language, code = "", list[str]()
    for line in [*DOCUMENTATION.read_text("utf-8").splitlines(), "end"]:
        text = line.strip()
        if language and text.startswith(_BEGINS_CODE):
            code.append(re.sub(r" {2,}", "\n", text))
        elif text:
            if code:
                yield Sample(language, "\n".join(code))
            language, code = (text, []) if text in LANGUAGES else ("", [])
            if not language and text != "end":
                text = re.sub(r"^(Model|Parameter)([A-Z][a-z]+)([A-Z])", r"\1 \2 \3", text)
                text = _PARAMETER.sub(r"\1 \2. ", text.lstrip("• "), count=1)
                yield from re.split(r"(?<=\.) +(?=[A-Z])", text)


def guide_samples() -> list[Sample]:
    found = []
    for page in sorted(GUIDES.glob("*.md")):
        for token in MarkdownIt("commonmark").parse(page.read_text("utf-8")):
            if token.type == "fence":
                language = (token.info or "text").split()[0]
                found.append(Sample(language, token.content, page.stem))
    return found
