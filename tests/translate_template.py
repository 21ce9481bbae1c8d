"""Prints what CloudFormation gets of a SAM template, by SAM's own translator, as JSON.

Run by the SAM CLI's Python (.venv-sam), which has the translator; tests run it as a subprocess.
"""

import json
import sys
from pathlib import Path

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class ManagedPolicies:
    """Stands in for a call to IAM that lists AWS's own policies."""

    def load(self) -> dict[str, str]:
        name = "AWSLambdaBasicExecutionRole"
        return {name: f"arn:aws:iam::aws:policy/service-role/{name}"}


def main(path: str, layer_version: str) -> None:
    template = yaml_parse(Path(path).read_text())
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        if "CodeUri" in properties:  # `sam deploy` uploads these folders before it translates
            properties["CodeUri"] = f"s3://bucket/{name}"
        if "ContentUri" in properties:
            properties["ContentUri"] = f"s3://bucket/{name}-{layer_version}"
    json.dump(transform(template, {}, ManagedPolicies()), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
