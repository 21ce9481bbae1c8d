"""Prints what CloudFormation gets of a SAM template, by SAM's own translator, as JSON.

Run by the SAM CLI's Python (.venv-sam), which has the translator; see `local.sam.translated`.
"""

import json
import sys
from pathlib import Path

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class ManagedPolicies:
    """Stands in for a call to IAM that lists AWS's managed policies."""

    def load(self) -> dict[str, str]:
        names = ("AWSLambdaBasicExecutionRole", "AWSCodeDeployRoleForLambda")
        return {name: f"arn:aws:iam::aws:policy/service-role/{name}" for name in names}


def main(path: str, layer_version: str, parameters: str) -> None:
    template = yaml_parse(Path(path).read_text())
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        if "CodeUri" in properties:  # `sam deploy` uploads these folders before it translates
            properties["CodeUri"] = f"s3://bucket/{name}"
        if "ContentUri" in properties:
            properties["ContentUri"] = f"s3://bucket/{name}-{layer_version}"
    json.dump(transform(template, json.loads(parameters), ManagedPolicies()), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
