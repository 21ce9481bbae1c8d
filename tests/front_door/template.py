"""What template.yaml says about routes, functions and API Gateway's own answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local.table import load_template
from tests.front_door.lambda_service import Function

ROOT = Path(__file__).parents[2]


def _resources(kind: str) -> list[dict[str, Any]]:
    resources = load_template()["Resources"].values()
    return [resource["Properties"] for resource in resources if resource["Type"] == kind]


def template_routes() -> dict[str, Function]:
    """Every route of the API, to its function; names are the folders' (`chat_completions`)."""
    routes: dict[str, Function] = {}
    for properties in _resources("AWS::Serverless::Function"):
        directory = ROOT / properties["CodeUri"]
        events = [event["Properties"] for event in properties.get("Events", {}).values()]
        streaming = any(event.get("ResponseTransferMode") for event in events)
        function = Function(directory.name, directory, streaming)
        routes |= {f"{event['Method'].upper()} {event['Path']}": function for event in events}
    return routes


def gateway_responses() -> dict[str, tuple[int, str]]:
    """Status and body template of the GatewayResponses that have one of their own, by name."""
    (api,) = _resources("AWS::Serverless::Api")
    return {
        name: (int(response["StatusCode"]), response["ResponseTemplates"]["application/json"])
        for name, response in api["GatewayResponses"].items()
        if "StatusCode" in response
    }
