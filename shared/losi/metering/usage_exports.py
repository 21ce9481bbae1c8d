"""Reads the usage files that providers export, by UTC day and the provider's own model name.

OpenAI: the JSON of its usage endpoints, or the CSV of its dashboard, which has the same names.
https://platform.openai.com/docs/api-reference/usage/completions_object
https://platform.openai.com/docs/api-reference/usage/embeddings_object

Anthropic: the JSON of its usage report.
https://platform.claude.com/docs/en/api/admin/usage_report/retrieve_messages
"""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Generic, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, TypeAdapter, ValidationError

#: A figure that is missing, null or an empty cell is zero.
Count = Annotated[int, BeforeValidator(lambda given: given or 0), Field(ge=0)]


class _OpenAIRow(BaseModel):
    model: str | None
    num_model_requests: Count
    input_tokens: Count
    output_tokens: Count = 0  # embeddings have no output


class _OpenAIBucket(BaseModel):
    #: Epoch seconds, before the year 10000.
    start_time: int = Field(ge=0, lt=253_402_300_800)
    results: list[_OpenAIRow]


class _AnthropicRow(BaseModel):
    model: str | None
    uncached_input_tokens: Count
    cache_read_input_tokens: Count = 0
    cache_creation: dict[str, Count] | None = None
    output_tokens: Count


class _AnthropicBucket(BaseModel):
    starting_at: AwareDatetime
    results: list[_AnthropicRow]


Bucket = TypeVar("Bucket", bound=BaseModel)


class _Page(BaseModel, Generic[Bucket]):
    data: list[Bucket]
    has_more: bool = False


_OPENAI_PAGES = TypeAdapter(_Page[_OpenAIBucket] | list[_Page[_OpenAIBucket]])
_ANTHROPIC_PAGES = TypeAdapter(_Page[_AnthropicBucket] | list[_Page[_AnthropicBucket]])


@dataclass(frozen=True, slots=True)
class Figures:
    """`requests` is None if the provider does not report them. Input includes tokens read from
    caches.
    """

    requests: int | None = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: "Figures") -> "Figures":
        ours, theirs = self.requests, other.requests
        return Figures(
            None if ours is None or theirs is None else ours + theirs,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
        )


#: Day and the provider's own model name -> the usage it reports.
ProviderUsage = dict[tuple[date, str], Figures]


class ExportError(ValueError):
    """Says what is wrong with the file, and what to ask the provider for."""


def read(provider: str, text: str) -> ProviderUsage:
    """Parse one export, or a JSON list of its pages. Raises ExportError."""
    if provider not in READERS:
        raise ExportError(f"No export of '{provider}' is known here: {', '.join(READERS)} are.")
    usage: ProviderUsage = {}
    try:
        for day, model, figures in READERS[provider](text):
            if not model:
                raise ExportError("A row names no model. Export the usage grouped by model.")
            usage[day, model] = usage.get((day, model), Figures()) + figures
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ExportError(
            f"This is no usage export of {provider}: {place or 'file'}: {first['msg']}"
        ) from error
    except csv.Error as error:
        raise ExportError(f"This is no usage export of {provider}: {error}") from error
    if not usage:
        raise ExportError("The file has no usage in it.")
    return usage


def _openai(text: str) -> Iterator[tuple[date, str | None, Figures]]:
    for bucket in _openai_buckets(text):
        day = datetime.fromtimestamp(bucket.start_time, UTC).date()
        for row in bucket.results:
            figures = Figures(row.num_model_requests, row.input_tokens, row.output_tokens)
            yield day, row.model, figures


def _openai_buckets(text: str) -> Iterator[_OpenAIBucket]:
    if text.lstrip().startswith(("{", "[")):
        yield from _buckets(_OPENAI_PAGES.validate_json(text))
        return
    for row in csv.DictReader(io.StringIO(text.lstrip("\ufeff"))):
        if row.get("num_model_requests") != "":  # a day without usage has empty cells
            yield _OpenAIBucket.model_validate({**row, "results": [row]})


def _anthropic(text: str) -> Iterator[tuple[date, str | None, Figures]]:
    for bucket in _buckets(_ANTHROPIC_PAGES.validate_json(text)):
        day = bucket.starting_at.astimezone(UTC).date()
        for row in bucket.results:
            written = sum((row.cache_creation or {}).values())
            read_ = row.uncached_input_tokens + row.cache_read_input_tokens
            yield day, row.model, Figures(None, read_ + written, row.output_tokens)


def _buckets(pages: _Page[Bucket] | list[_Page[Bucket]]) -> Iterator[Bucket]:
    pages = pages if isinstance(pages, list) else [pages]
    if pages and pages[-1].has_more:
        raise ExportError("There is another page: ask for all of them, and put them in a list.")
    for page in pages:
        yield from page.data


READERS: dict[str, Callable[[str], Iterator[tuple[date, str | None, Figures]]]] = {
    "openai": _openai,
    "anthropic": _anthropic,
}
