"""`losi doctor`."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from losi.cli.output import print_json, print_table
from losi.cli.session import Json

if TYPE_CHECKING:
    from losi.catalogue.models import Catalogue, Model, Route
    from losi.catalogue.providers import Provider
    from losi.chat.probes import Probe
    from losi.config import Config
    from losi.upstream.format import Exchange, Format

#: OpenAI's 400 when reasoning left no tokens for the answer: what was asked was taken.
#: https://github.com/openai/openai-python/pull/3182
_RAN_OUT = "model output limit was reached"

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before it costs money.")]
Only = Annotated[list[str] | None, typer.Option("--model", help="Only this model's routes.")]


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(only: Only = None, yes: Yes = False, as_json: Json = False) -> None:
    """Compare the catalogue with what upstreams accept.

    It makes one small call for each capability of each route that has credentials. The calls
    cost money; the maximum is shown first. If the catalogue is wrong, it prints what to write
    into config/models.toml, and the exit code is 1. It also reads the days on which vendors
    shut models down.

    \b
    Examples:
      losi doctor --model losi-omega
      losi doctor --yes --json
    """
    from losi.catalogue import loader
    from losi.chat.probes import most_cost, probes
    from losi.config import read_config

    try:
        catalogue = loader.load()
    except loader.CatalogueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    config = read_config()
    routes = _configured(catalogue, config, only)
    if not routes:
        typer.echo(
            "Error: no route has credentials here. Set those of a provider, such as "
            "LOSI_OPENAI_API_KEY, or LOSI_PROVIDER_SECRET of a deployed API.",
            err=True,
        )
        raise typer.Exit(1)
    calls = sum(len(list(probes(*one))) for one in routes)
    most = sum(most_cost(*one) for one in routes)
    typer.echo(
        f"At most {calls} calls to {len(routes)} routes, for at most {most:.2f} dollars.", err=True
    )
    if not yes:
        typer.confirm("Make them?", abort=True, err=True)
    found = asyncio.run(_examined(config, routes))
    if as_json:
        print_json(found)
    else:
        _print(found)
    if any(one["write"] for one in found):
        raise typer.Exit(1)


def _configured(
    catalogue: Catalogue, config: Config, only: list[str] | None
) -> list[tuple[Model, Route]]:
    """Each upstream model once, with the first public model that it answers."""
    from losi.upstream.registry import configured

    found: dict[tuple[str, str], tuple[Model, Route]] = {}
    for model in catalogue.models.values():
        if model.kind != "chat" or (only and model.id not in only):
            continue
        for route in model.routes:
            if route.provider.format != "sandbox" and configured(config, route.provider):
                found.setdefault((route.provider.id, route.model), (model, route))
    return list(found.values())


async def _examined(config: Config, routes: list[tuple[Model, Route]]) -> list[dict[str, Any]]:
    from losi.upstream.registry import Registry
    from losi.web.formats import FORMATS

    registry = Registry(FORMATS, config)
    days = await _shutdown_days(config, [route.provider for _, route in routes])
    return [
        await _route(
            model,
            route,
            registry.upstream(route.provider),
            days.get((route.provider.id, route.model)),
        )
        for model, route in routes
    ]


async def _route(model: Model, route: Route, upstream: Format, day: date | None) -> dict[str, Any]:
    """The upstream's answers, and what to write into the catalogue for them."""
    from losi.chat.probes import corrections, is_wrong, probes

    answers: dict[tuple[str, str], str | None] = {}
    failures: list[str] = []
    rows = []
    for probe in probes(model, route):
        outcome, words = await _result(upstream, route, probe)
        if outcome in ("takes", "refuses"):
            answers[probe.field, probe.name] = words
        elif outcome == "fails":
            failures.append(f"{probe.name}: {words}")
        rows.append(
            {
                "what": probe.name,
                "catalogue": "takes" if probe.expected else "refuses",
                "upstream": outcome,
                "words": words,
                "wrong": is_wrong(probe, answers),
            }
        )
        if probe.name == "answers" and outcome != "takes":
            break  # what it says of all that follows would say nothing
    write: dict[str, Any] = dict(corrections(model, route, answers))
    if day is not None and day != route.shutdown_date:
        write["shutdown_date"] = day.isoformat()
    return {
        "model": model.id,
        "provider": route.provider.id,
        "upstream_model": route.model,
        "probes": rows,
        "failures": failures,
        "write": write,
    }


async def _result(upstream: Format, route: Route, probe: Probe) -> tuple[str, str | None]:
    """`takes`, `refuses`, `not sent` or `fails`, and the words for it."""
    from losi.errors import InvalidRequestError, LosiError
    from losi.upstream.format import UpstreamCall

    try:
        exchange = upstream.prepare(UpstreamCall(probe.body, route, "doctor"))
        if probe.name in exchange.left_out:
            return "not sent", None
        async with asyncio.timeout(route.answer_timeout):
            await _answered(exchange, stream=probe.stream)
    except InvalidRequestError as error:
        if _RAN_OUT in error.message:
            return "takes", None
        return "refuses", error.message
    except LosiError as error:
        return "fails", error.message
    except TimeoutError:
        return "fails", "It took too long."
    return "takes", None


async def _answered(exchange: Exchange, *, stream: bool) -> None:
    if not stream:
        await exchange.complete()
        return
    async with aclosing(exchange.stream()) as chunks:
        async for _ in chunks:
            pass


async def _shutdown_days(config: Config, providers: list[Provider]) -> dict[tuple[str, str], date]:
    """By provider and model, of vendors whose list of models has `shutdown_date`.

    https://platform.openai.com/docs/api-reference/models/object
    """
    import httpx

    from losi.upstream.openai.refusal import auth_headers
    from losi.upstream.registry import settings

    days: dict[tuple[str, str], date] = {}
    for provider in {one.id: one for one in providers}.values():
        if not provider.format.startswith("openai"):
            continue
        found = settings(config, provider)
        url = f"{found.base_url.rstrip('/')}/models"
        try:
            async with httpx.AsyncClient() as http:
                response = await http.get(url, headers=auth_headers(provider, found.key))
            listed = response.json()["data"] if response.is_success else []
            for row in listed:
                if shutdown := row.get("shutdown_date"):
                    days[provider.id, row["id"]] = date.fromisoformat(str(shutdown)[:10])
        except Exception as error:  # of whatever answers there: the probes do not depend on it
            typer.echo(f"{provider.name}'s list of models cannot be read: {error}", err=True)
    return days


def _print(found: list[dict[str, Any]]) -> None:
    columns = ("Route", "What", "Catalogue", "Upstream", "")
    rows = [
        (
            f"{one['provider']}/{one['upstream_model']}",
            row["what"],
            row["catalogue"],
            f"{row['upstream']}{': ' + row['words'][:80] if row['words'] else ''}",
            "wrong" if row["wrong"] else "",
        )
        for one in found
        for row in one["probes"]
    ]
    print_table(columns, rows)
    wrong = [one for one in found if one["write"]]
    if not wrong:
        typer.echo("The catalogue is right in everything that was tested.")
    for one in wrong:
        typer.echo(
            f'\n# config/models.toml: model "{one["model"]}", in its whole entry, on the route\n'
            f'# of provider "{one["provider"]}" to "{one["upstream_model"]}"'
        )
        for field, value in one["write"].items():
            # a list of texts and a text are written in TOML as in JSON; a date without quotes
            typer.echo(f"{field} = {value if field == 'shutdown_date' else json.dumps(value)}")
