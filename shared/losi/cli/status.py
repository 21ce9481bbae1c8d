"""`losi status`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer

from losi import __version__
from losi.cli.output import print_fields, print_json, print_table
from losi.cli.session import Session, command

if TYPE_CHECKING:
    from losi.catalogue.models import Catalogue
    from losi.cli.connection import Connection
    from losi.config import Config

#: The default of an AWS account until it asks for more; new ones have less.
#: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
USUAL_CONCURRENCY = 1000


def register(app: typer.Typer) -> None:
    command(app, "status")(status)


@dataclass
class Found:
    """The facts about an API, and its problems."""

    facts: dict[str, Any]
    problems: list[str] = field(default_factory=list)


def status(session: Session) -> None:
    """Show the state of an API, and its problems.

    It shows the version, health, table, quota of Lambda, and routes. It shows whether
    credentials exist, but not their values. Problems are listed at the end; then the exit
    code is 1.

    \b
    Example:
      losi status --stack losi-prod --region eu-west-1
    """
    connection = session.connection
    found = Found({"version": __version__})
    _health(connection, found)
    _table(connection, found)
    if connection.region:
        _quota(connection, found)
    _routes(session.catalogue, _config(connection, found), found)
    if session.as_json:
        print_json({**found.facts, "problems": found.problems})
    else:
        _print(found)
    if found.problems:
        raise typer.Exit(1)


def _health(connection: "Connection", found: Found) -> None:
    import httpx

    if not connection.base_url:
        return
    url = f"{connection.base_url}/health"
    found.facts["health"] = {"url": url, "status": None, "version": None}
    local = connection.endpoint is not None
    try:
        response = httpx.get(url, trust_env=not local)
        found.facts["health"] |= {"status": response.status_code}
        answer = response.raise_for_status().json()
    except httpx.HTTPStatusError as error:
        found.problems.append(f"{url} answers {error.response.status_code}.")
        return
    except (httpx.HTTPError, ValueError) as error:
        found.problems.append(f"{url} gives no answer of a Losi API: {type(error).__name__}.")
        return
    if not isinstance(answer, dict) or "version" not in answer:
        found.problems.append(f"{url} gives no answer of a Losi API: it names no version.")
        return
    found.facts["health"] |= {"version": answer["version"]}


def _table(connection: "Connection", found: Found) -> None:
    client, name = connection.client, connection.table
    with _problems_noted(found, f"table {name}"):
        described = client.describe_table(TableName=name)["Table"]
        expiry = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        table: dict[str, Any] = {
            "name": name,
            "status": described["TableStatus"],
            "items": described["ItemCount"],
            "bytes": described["TableSizeBytes"],
            "time_to_live": expiry["TimeToLiveStatus"] == "ENABLED",
        }
        found.facts["table"] = table
        if connection.region:
            backups = client.describe_continuous_backups(TableName=name)
            recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
            table["recovery"] = recovery["PointInTimeRecoveryStatus"] == "ENABLED"
            table["deletion_protection"] = described["DeletionProtectionEnabled"]
        wanted = (
            ("time_to_live", "Time to live is off: what has expired stays, and costs storage."),
            ("recovery", "Point-in-time recovery is off: nothing can be brought back."),
            ("deletion_protection", "Deletion protection is off."),
        )
        found.problems += [f"{name}: {why}" for what, why in wanted if not table.get(what, True)]
        if table["status"] != "ACTIVE":
            found.problems.append(f"{name}: the table is {table['status']}.")


def _quota(connection: "Connection", found: Found) -> None:
    with _problems_noted(found, "Lambda's quota"):
        limit = connection.aws("lambda").get_account_settings()["AccountLimit"]
        found.facts["lambda"] = {
            "concurrency": limit["ConcurrentExecutions"],
            "unreserved": limit["UnreservedConcurrentExecutions"],
        }


def _config(connection: "Connection", found: Found) -> "Config":
    """Routes and whether their credentials exist: in the stack's secret, or in this shell for a
    local API.
    """
    from losi.config import Config, read_config

    if not connection.region:
        return read_config()
    variables: dict[str, str] = {}
    if connection.parameters.get("BedrockAccess") == "on":
        variables["LOSI_BEDROCK_REGION"] = connection.region
    with _problems_noted(found, "provider secret"):
        secret = connection.aws("secretsmanager").get_secret_value(
            SecretId=connection.outputs["SecretArn"]
        )
        stored = json.loads(secret["SecretString"])
        if not isinstance(stored, dict):
            raise ValueError  # as text that is no JSON at all does
        variables |= {name: value for name, value in stored.items() if isinstance(value, str)}
    return Config(variables=variables)


def _routes(catalogue: "Catalogue", config: "Config", found: Found) -> None:
    from losi.upstream.registry import missing

    routes = [
        {
            "model": model.id,
            "provider": route.provider.name,
            "upstream_model": route.model,
            "credentials": route.provider.credentials,
            "missing": missing(config, route.provider),
        }
        for model in catalogue.models.values()
        for route in model.routes
    ]
    found.facts["routes"] = routes
    answered = {route["model"] for route in routes if not route["missing"]}
    if not answered and not config.sandbox_fallback:
        found.problems.append("No provider has credentials: only test keys are answered.")


@contextmanager
def _problems_noted(found: Found, what: str) -> Iterator[None]:
    """Records what AWS refuses inside the block as a problem, and continues after it."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
        return
    except ClientError as error:
        why = error.response["Error"]["Message"]
    except (BotoCoreError, ValueError, KeyError) as error:
        why = type(error).__name__
    found.problems.append(f"The {what} cannot be read: {why}")


def _print(found: Found) -> None:
    facts = found.facts
    fields = [("Version", facts["version"])]
    if health := facts.get("health"):
        works = health["status"] == 200
        fields.append(("Health", f"{'ok' if works else 'not ok'}, {health['url']}"))
        fields.append(("Deployed", health["version"] or "unknown"))
    if table := facts.get("table"):
        size = f"{table['bytes'] / 1e6:,.1f} MB"
        summary = f"{table['name']}, {table['items']:,} items, {size}"
        fields.append(("Table", summary))
    if quota := facts.get("lambda"):
        less = "; less than AWS's usual 1,000" if quota["concurrency"] < USUAL_CONCURRENCY else ""
        fields.append(
            ("Lambda", f"{quota['concurrency']:,} at once, {quota['unreserved']:,} shared{less}")
        )
    print_fields(fields)
    typer.echo()
    rows = [
        (
            route["model"],
            f"{route['provider']}\n{route['upstream_model']}",
            f"missing:\n{route['missing']}" if route["missing"] else "there",
        )
        for route in facts["routes"]
    ]
    print_table(("MODEL", "ROUTE", "CREDENTIALS"), rows)
    for problem in found.problems:
        typer.echo(f"\nProblem: {problem}", err=True)
