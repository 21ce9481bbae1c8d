"""What template.yaml says about routes, functions and API Gateway's own answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local.table import TEMPLATE, load_template
from tests.front_door.lambda_service import Function, MakeFunction


def _resources(kind: str, template: Path = TEMPLATE) -> list[dict[str, Any]]:
    resources = load_template(template)["Resources"].values()
    return [resource["Properties"] for resource in resources if resource["Type"] == kind]


def template_routes(
    template: Path = TEMPLATE, make: MakeFunction = Function, *, at_once: int = 1
) -> dict[str, Function]:
    """Every route of the API, to its function; names are the folders' (`chat_completions`).

    With `at_once` above 1, those that stream are on Lambda Managed Instances.
    """
    routes: dict[str, Function] = {}
    for properties in _resources("AWS::Serverless::Function", template):
        if "CapacityProviderConfig" in properties:
            continue  # the function that streams once more, for while ManagedInstances is on
        directory = template.parent / properties["CodeUri"]
        declared_events = properties.get("Events", {}).values()
        events = [each["Properties"] for each in declared_events if each["Type"] == "Api"]
        streaming = any(event.get("ResponseTransferMode") for event in events)
        declared = properties.get("Environment", {}).get("Variables", {})
        env = {name: value for name, value in declared.items() if isinstance(value, str)}
        several = at_once if streaming else 1
        function = make(directory.name, directory, streaming, env=env, at_once=several)
        routes |= {f"{event['Method'].upper()} {event['Path']}": function for event in events}
    return routes


def gateway_responses(support: str = "") -> dict[str, tuple[int, str]]:
    """Status and body template of the GatewayResponses that have one of their own, by name."""
    (api,) = _resources("AWS::Serverless::Api")
    return {
        name: (
            int(response["StatusCode"]),
            naming_support(response["ResponseTemplates"]["application/json"], support),
        )
        for name, response in api["GatewayResponses"].items()
        if "StatusCode" in response
    }


def naming_support(template: Any, support: str) -> str:
    """What CloudFormation makes of a response template that may name the parameter Support."""
    if isinstance(template, str):
        return template
    text, values = template["Fn::Sub"]
    condition, named, unnamed = values["At"]["Fn::If"]
    assert (condition, named) == ("NamesSupport", {"Fn::Sub": " at ${Support}"})
    at = named["Fn::Sub"].replace("${Support}", support) if support else unnamed
    return str(text).replace("${At}", at)
