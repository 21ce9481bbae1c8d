"""Reads the usage files that providers export, by UTC day and the provider's own model name.

OpenAI: the JSON of its usage endpoints, or the CSV of its dashboard, which has the same names.
https://platform.openai.com/docs/api-reference/usage/completions_object
https://platform.openai.com/docs/api-reference/usage/embeddings_object

Anthropic: the JSON of its usage report.
https://platform.claude.com/docs/en/api/admin/usage_report/retrieve_messages
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Figures:
    """`requests` is None if the provider does not report them. Input includes tokens read from
    caches.
    """

    requests: int | None = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: "Figures") -> "Figures":
        unknown = self.requests is None or other.requests is None
        return Figures(
            None if unknown else (self.requests or 0) + (other.requests or 0),
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
        )


#: Day and the provider's own model name -> the usage it reports.
Told = dict[tuple[date, str], Figures]


class ExportError(ValueError):
    """Says what is wrong with the file, and what to ask the provider for."""


def read(provider: str, text: str) -> Told:
    """Parse one export, or a JSON list of its pages. Raises ExportError."""
    if provider not in READERS:
        raise ExportError(f"No export of '{provider}' is known here: {', '.join(READERS)} are.")
    told: Told = {}
    try:
        for day, model, figures in READERS[provider](text):
            if not model:
                raise ExportError("A row names no model. Export the usage grouped by model.")
            told[day, model] = told.get((day, model), Figures(figures.requests and 0)) + figures
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, OSError) as error:
        if isinstance(error, ExportError):
            raise
        raise ExportError(f"This is no usage export of {provider}: {error!r}") from error
    if not told:
        raise ExportError("The file has no usage in it.")
    return told


def _openai(text: str) -> Iterator[tuple[date, str, Figures]]:
    for start, row in _openai_rows(text):
        figures = Figures(
            int(row["num_model_requests"] or 0),
            int(row["input_tokens"] or 0),
            int(row.get("output_tokens") or 0),  # embeddings have no output
        )
        yield datetime.fromtimestamp(int(start), UTC).date(), str(row["model"] or ""), figures


def _openai_rows(text: str) -> Iterator[tuple[Any, Row]]:
    if not text.lstrip().startswith(("{", "[")):
        rows = csv.DictReader(io.StringIO(text.lstrip("\ufeff")))
        # a bucket without usage is a row without figures
        yield from ((row["start_time"], row) for row in rows if row["num_model_requests"])
        return
    for bucket in _buckets(text):
        yield from ((bucket["start_time"], row) for row in bucket["results"])


def _anthropic(text: str) -> Iterator[tuple[date, str, Figures]]:
    for bucket in _buckets(text):
        day = datetime.fromisoformat(bucket["starting_at"]).astimezone(UTC).date()
        for row in bucket["results"]:
            written = row.get("cache_creation") or {}
            read_ = row["uncached_input_tokens"] + row.get("cache_read_input_tokens", 0)
            total = int(read_ + sum(written.values()))
            yield day, str(row["model"] or ""), Figures(None, total, int(row["output_tokens"]))


def _buckets(text: str) -> Iterator[Row]:
    stored = json.loads(text)
    pages = stored if isinstance(stored, list) else [stored]
    if pages and pages[-1].get("has_more"):
        raise ExportError("There is another page: ask for all of them, and put them in a list.")
    for page in pages:
        yield from page["data"]


READERS: dict[str, Callable[[str], Iterator[tuple[date, str, Figures]]]] = {
    "openai": _openai,
    "anthropic": _anthropic,
}
