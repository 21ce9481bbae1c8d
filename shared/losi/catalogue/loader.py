"""Reads the catalogue: the shipped files, then the operator's files of the same names.

A table in the operator's config/ replaces the shipped table with the same id, or is added. All
mistakes are collected, so that one run reports them all.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from losi.catalogue.models import Catalogue, Model, Prices, Route
from losi.catalogue.plans import Plan
from losi.catalogue.providers import EMBEDDING_FORMATS, SANDBOX, Provider
from losi.catalogue.row import Row, instead

SHIPPED = Path(__file__).parent
#: The operator's folder: in a checkout a link to config/ at its top, in the layer a copy.
CONFIG = SHIPPED / "config"
#: Each folder's tables replace those of the folders before it.
FOLDERS = (SHIPPED, CONFIG)

R = TypeVar("R", bound=Row)
#: Fields whose values are tables -> the word for an unknown field in such a table.
_NESTED: dict[str, type[Row]] = {"prices": Prices, "routes": Route}


class CatalogueError(Exception):
    """`mistakes`: one line each, which names file, entry and field and says how to correct it."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class _Entry(NamedTuple):
    """One table of a file, not yet checked."""

    file: str
    kind: str
    id: str
    fields: Mapping[str, Any]

    def mistake(self, field: str, reason: str) -> str:
        return f"{self.file}: {self.kind} '{self.id}': {field} {reason}"


def load(*folders: Path) -> Catalogue:
    """The checked catalogue of these folders, by default FOLDERS. Raises CatalogueError."""
    folders = folders or FOLDERS
    mistakes: list[str] = []
    plan_rows = _entries("plan", "plans.toml", folders, mistakes)
    provider_rows = _entries("provider", "providers.toml", folders, mistakes)
    model_rows = _entries("model", "models.toml", folders, mistakes)
    if mistakes:  # files that cannot be read: references to their tables cannot be judged
        raise CatalogueError(mistakes)
    plans = _checked(Plan, "name", plan_rows, mistakes)
    providers = _checked(Provider, "id", provider_rows, mistakes)
    # a wrong provider is one mistake, not another one in every route to it
    wrong = {id: Provider.model_construct(id=id, format="openai") for id in provider_rows}
    known = {**wrong, **providers, SANDBOX.id: SANDBOX}
    models = _checked(Model, "id", model_rows, mistakes, known)
    for provider in providers.values():
        entry = provider_rows[provider.id]
        mistakes += [entry.mistake(*problem) for problem in _unreachable(provider)]
    for model in models.values():
        entry = model_rows[model.id]
        mistakes += [entry.mistake(*problem) for problem in _lacks(model)]
        mistakes += [entry.mistake(*problem) for problem in _always_refused(model)]
        mistakes += [entry.mistake(*problem) for problem in _unknown_plans(model, plan_rows)]
    mistakes += _shared_codes(models.values(), model_rows)
    if mistakes:
        raise CatalogueError(mistakes)
    return Catalogue(plans, {SANDBOX.id: SANDBOX, **providers}, models)


def _entries(
    kind: str, name: str, folders: Iterable[Path], mistakes: list[str]
) -> dict[str, _Entry]:
    """The tables of all folders by id; a table that is replaced keeps its place."""
    found: dict[str, _Entry] = {}
    for folder in folders:
        file = f"{folder.name}/{name}"
        table = _read(folder / name, file, mistakes)
        rows = _models(table, file, mistakes) if kind == "model" else _tables(table, file, mistakes)
        own: set[str] = set()
        for id, fields in rows:
            entry = _Entry(file, kind, id, fields)
            if id in own:
                mistakes.append(entry.mistake("id", "is in the file twice. Remove one."))
            own.add(id)
            found[id] = entry
    return found


def _read(path: Path, file: str, mistakes: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        pass  # operators need not have one
    except OSError as error:
        mistakes.append(f"{file}: it cannot be read ({error.strerror}). Make it a readable file.")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        mistakes.append(f"{file}: line {line} is not UTF-8. Save the file as UTF-8 text.")
    except (ValueError, RecursionError) as error:
        mistakes.append(f"{file}: it is not TOML: {error}. Mend that place; see https://toml.io")
    return {}


def _models(
    table: dict[str, Any], file: str, mistakes: list[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in table.keys() - {"models"}:
        mistakes.append(f"{file}: '{name}' is unknown at the top. Models are [[models]] tables.")
    rows = table.get("models", [])
    if not isinstance(rows, list):
        mistakes.append(f"{file}: 'models' must be [[models]] tables, with two brackets each side.")
        return
    for number, row in enumerate(rows, 1):
        if isinstance(row, dict) and isinstance(row.get("id"), str):
            yield row["id"], row
        else:
            mistakes.append(
                f"{file}: model number {number}: id is missing or no text. "
                'Give it one, such as id = "my-model".'
            )


def _tables(
    table: dict[str, Any], file: str, mistakes: list[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for id, row in table.items():
        if isinstance(row, dict):
            yield id, row
        else:
            mistakes.append(
                f"{file}: '{id}' must be a table. Begin one with its name, such as [my-name], "
                "and put fields below it."
            )


def _checked(
    row_type: type[R],
    id_field: str,
    entries: Mapping[str, _Entry],
    mistakes: list[str],
    context: Mapping[str, Provider] | None = None,
) -> dict[str, R]:
    """The valid rows; `context` has the providers that routes may name."""
    rows = {}
    for id, entry in entries.items():
        if entry.kind != "model" and id_field in entry.fields:
            mistakes.append(entry.mistake(id_field, "is the table's name. Remove the field."))
        try:
            rows[id] = row_type.model_validate({**entry.fields, id_field: id}, context=context)
        except ValidationError as error:
            for detail in _causes(error):
                mistakes.append(entry.mistake(*_explained(row_type, detail)))
    return rows


def _causes(error: ValidationError) -> list[Any]:
    """Without what pydantic says of a list because of a mistake inside of it: that it is too
    short.
    """
    details = error.errors(include_url=False)
    places = [detail["loc"] for detail in details]
    return [
        detail
        for detail, place in zip(details, places, strict=True)
        if not any(len(other) > len(place) and other[: len(place)] == place for other in places)
    ]


def _explained(row_type: type[Row], detail: Any) -> tuple[str, str]:
    """The path of the wrong field, and what is wrong with it."""
    path = ".".join(str(part) for part in detail["loc"])
    expected = ""
    for part in detail["loc"]:
        if isinstance(part, int):
            continue
        if (field := row_type.model_fields.get(part)) is None:
            return path, f"is not a known field. {instead(part, row_type.model_fields)}"
        expected = field.description or _in_union(field.annotation)
        row_type = _NESTED.get(part, row_type)
    if detail["type"] == "value_error":
        return path, str(detail["ctx"]["error"])
    if detail["type"] == "missing":
        return path, f"is missing. Add it: it must be {expected}."
    if detail["type"] == "less_than_equal":
        return (
            path,
            f"is too large: {_shown(detail['input'])}. The most is {detail['ctx']['le']:,}.",
        )
    if isinstance(detail["loc"][-1], int):  # one of a list
        path = path.rpartition(".")[0]
        known = re.findall(r"'([^']+)'", detail.get("ctx", {}).get("expected", ""))
        if known:
            value = detail["input"]
            return path, f"names the unknown {_shown(value)}. {instead(str(value), known)}"
        return path, f"must be {expected}, and holds {_shown(detail['input'])}."
    # somebody may have written a secret where its name belongs
    shown = "" if path.endswith("_variable") else f", and is {_shown(detail['input'])}"
    return path, f"must be {expected}{shown}."


def _in_union(annotation: Any) -> str:
    """The description in `Annotated[...] | None`, which pydantic attaches to the first part."""
    return next(
        str(note.description)
        for part in getattr(annotation, "__args__", ())
        for note in getattr(part, "__metadata__", ())
        if note.description
    )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _unreachable(provider: Provider) -> Iterator[tuple[str, str]]:
    """What a provider lacks, by its format, so that its upstream cannot be reached."""
    if provider.format not in ("bedrock", "sandbox"):  # formats over HTTP
        if not (provider.base_url or provider.base_url_variable):
            yield "base_url", "is missing. Add it, or base_url_variable."
        if not (provider.key_variable or provider.key_optional):
            yield "key_variable", "is missing. Add it, or key_optional = true."
    if provider.format == "bedrock" and not provider.region_variable:
        yield "region_variable", "is missing. Add the name of the variable with its AWS region."
    if provider.id == SANDBOX.id:
        yield "name", "is that of the built-in sandbox. Give yours another one."


def _lacks(model: Model) -> Iterator[tuple[str, str]]:
    if model.kind == "embedding":
        yield from _without_embeddings(model)
        return
    if not model.max_output_tokens:
        yield "max_output_tokens", "is missing. Add it: chat models have a whole number above 0."
    if "output" not in model.prices.model_fields_set:
        yield "prices.output", "is missing. Add it: US dollars per million tokens."


def _always_refused(model: Model) -> Iterator[tuple[str, str]]:
    for number, route in enumerate(model.routes):
        refuses = route.refuses | route.provider.refuses
        effort = {**model.default_parameters, **route.default_parameters}.get("reasoning_effort")
        if "tools_with_reasoning" in refuses and effort != "none":
            yield (
                f"routes.{number}.default_parameters",
                'needs reasoning_effort = "none" beside refuses = ["tools_with_reasoning"]. '
                "Without it, the upstream reasons, and refuses every request with tools.",
            )


def _unknown_plans(model: Model, plans: Mapping[str, _Entry]) -> Iterator[tuple[str, str]]:
    for name in sorted(model.plans - plans.keys()):
        yield "plans", f"names the unknown plan '{name}'. {instead(name, plans)}"


def _without_embeddings(model: Model) -> Iterator[tuple[str, str]]:
    for number, route in enumerate(model.routes):
        if route.provider.format not in EMBEDDING_FORMATS:
            yield (
                f"routes.{number}.provider",
                f"has the format '{route.provider.format}', which has no embeddings. "
                f"Use a provider with {' or '.join(EMBEDDING_FORMATS)}.",
            )


def _shared_codes(models: Iterable[Model], entries: Mapping[str, _Entry]) -> Iterator[str]:
    by_code: dict[str, Model] = {}
    for model in models:
        if (first := by_code.setdefault(model.code, model)) is not model:
            yield entries[model.id].mistake(
                "code",
                f"'{model.code}' is that of '{first.id}' ({entries[first.id].file}) too. "
                "Give the newer of the two another one, under which nothing was counted yet.",
            )
