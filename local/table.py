"""The table as template.yaml declares it, the only place of its schema."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from losi.management.emails import INDEXED

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TEMPLATE = Path(__file__).resolve().parent.parent / "template.yaml"


#: libyaml's parser, where PyYAML was built with it: it takes a tenth of the time.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _TemplateLoader(_SafeLoader):  # type: ignore[misc]
    """YAML with CloudFormation's short forms: `!Ref X` becomes {"Ref": "X"}."""


def _intrinsic(loader: _TemplateLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if name == "Fn::GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {name: value}


yaml.add_multi_constructor("!", _intrinsic, Loader=_TemplateLoader)


def load_template(template: Path = TEMPLATE) -> dict[str, Any]:
    """The template as plain data, with intrinsic functions in their long form. Do not change it."""
    return _loaded(template)


@cache  # which would keep the default, and the same path as an argument, apart
def _loaded(template: Path) -> dict[str, Any]:
    text = template.read_text()
    loaded: dict[str, Any] = yaml.load(text, Loader=_TemplateLoader)  # noqa: S506 (a SafeLoader)
    return loaded


def table_definition(template: Path = TEMPLATE) -> dict[str, Any]:
    """What CreateTable needs, without the table's name."""
    properties = load_template(template)["Resources"]["LosiTable"]["Properties"]
    return {key: properties[key] for key in ("AttributeDefinitions", "KeySchema", "BillingMode")}


def create_table(client: DynamoDBClient, name: str, template: Path = TEMPLATE) -> None:
    """Create the table and its time to live, unless it exists with data in it."""
    try:
        client.create_table(TableName=name, **table_definition(template))
    except client.exceptions.ResourceInUseException:
        if client.scan(TableName=name, Limit=1)["Items"]:
            return  # else an earlier try created it, and its answer came too late
    client.get_waiter("table_exists").wait(TableName=name)
    properties = load_template(template)["Resources"]["LosiTable"]["Properties"]
    lived = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if lived["TimeToLiveStatus"] == "DISABLED":
        client.update_time_to_live(
            TableName=name, TimeToLiveSpecification=properties["TimeToLiveSpecification"]
        )
    client.put_item(TableName=name, Item=INDEXED)  # it has no account of version 0.1
