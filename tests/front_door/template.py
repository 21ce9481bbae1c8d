"""What template.yaml says about routes, functions and API Gateway's own answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.front_door.lambda_service import Function

ROOT = Path(__file__).parents[2]


class _CloudFormationLoader(yaml.SafeLoader):
    """Takes `!Ref x` and the like as plain data: nothing read here depends on their values."""


def _plain(loader: yaml.SafeLoader, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.ScalarNode)
    return loader.construct_scalar(node)


_CloudFormationLoader.add_multi_constructor("!", _plain)


def _resources(kind: str) -> list[dict[str, Any]]:
    text = (ROOT / "template.yaml").read_text()
    template = yaml.load(text, _CloudFormationLoader)
    resources = template["Resources"].values()
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
