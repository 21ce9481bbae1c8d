"""`make deploy-policy`: what a role needs that deploys template.yaml, and nothing it could do
more harm with; `docs/deployer-policy.json`.

CloudFormation works with the rights of whoever deploys. What it calls for each type of resource
stands in AWS's own schemas of them, and which actions can be bound to a resource in AWS's list of
actions; the linter in .venv-sam brings both.
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html (handlers)
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from local.sam import ROOT, SAM_PYTHON, SamFailedError, translated

POLICY = ROOT / "docs" / "deployer-policy.json"

#: Where a service's actions are allowed: on what a stack whose name begins with "losi" is called.
#: What has no name of its own choosing has a star.
RESOURCES: dict[str, list[str]] = {
    "apigateway": [
        "arn:aws:apigateway:*::/account",
        "arn:aws:apigateway:*::/domainnames*",
        "arn:aws:apigateway:*::/restapis*",
        "arn:aws:apigateway:*::/tags/*",
    ],
    "backup": ["arn:aws:backup:*:*:backup-plan:*", "arn:aws:backup:*:*:backup-vault:losi*"],
    "cloudwatch": ["arn:aws:cloudwatch:*:*:alarm:losi*", "arn:aws:cloudwatch::*:dashboard/losi*"],
    "codedeploy": [
        "arn:aws:codedeploy:*:*:application:losi*",
        "arn:aws:codedeploy:*:*:deploymentconfig:*",
        "arn:aws:codedeploy:*:*:deploymentgroup:losi*",
    ],
    "cognito-idp": ["arn:aws:cognito-idp:*:*:userpool/*"],
    "dynamodb": ["arn:aws:dynamodb:*:*:table/losi*"],
    "iam": ["arn:aws:iam::*:role/losi*"],
    "lambda": [
        "arn:aws:lambda:*:*:capacity-provider:*",
        "arn:aws:lambda:*:*:function:losi*",
        "arn:aws:lambda:*:*:layer:LosiLayer*",
    ],
    "logs": ["arn:aws:logs:*:*:log-group:/losi/*"],
    "route53": ["arn:aws:route53:::change/*", "arn:aws:route53:::hostedzone/*"],
    "scheduler": ["arn:aws:scheduler:*:*:schedule/default/losi*"],
    "secretsmanager": ["arn:aws:secretsmanager:*:*:secret:ProviderSecret-*"],
    "sns": ["arn:aws:sns:*:*:losi*"],
    "sqs": ["arn:aws:sqs:*:*:losi*"],
    "ssm": ["arn:aws:ssm:*:*:parameter/losi/*"],
    "wafv2": ["arn:aws:wafv2:*:*:regional/webacl/*"],
}
#: Services that handlers name only for properties that no resource of ours has.
UNUSED = {
    *("amplify", "application-autoscaling", "apprunner", "appsync", "backup-storage"),
    *("bedrock-agentcore", "cloudfront", "ec2", "elasticfilesystem", "elasticloadbalancing"),
    *("firehose", "kinesis", "kms", "payments", "s3", "s3files"),
}
#: The same within services that we use; and what a deployment must not do: read or write
#: customers' data, or delete the table, which is kept when its stack goes.
LEFT_OUT = {
    "apigateway": {"UpdateRestApiPolicy"},
    "codedeploy": {"RegisterOnPremisesInstance"},
    "cognito-idp": {"AddCustomAttributes", "AssociateWebACL", "DisassociateWebACL"},
    "dynamodb": {
        *("AssociateTableReplica", "CreateTableReplica", "DescribeImport", "ImportTable"),
        *("BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem"),
        *("DeleteResourcePolicy", "PutResourcePolicy", "DeleteTable"),
        *("DisableKinesisStreamingDestination", "EnableKinesisStreamingDestination"),
        "UpdateKinesisStreamingDestination",
    },
    "iam": {
        *("CreateServiceLinkedRole", "DeleteRolePermissionsBoundary"),
        *("PutRolePermissionsBoundary", "UpdateRoleDescription"),
    },
    "lambda": {
        *("DeleteFunctionCodeSigningConfig", "PutFunctionCodeSigningConfig"),
        *("DeleteProvisionedConcurrencyConfig", "PutProvisionedConcurrencyConfig"),
        *("GetCodeSigningConfig", "PutFunctionRecursionConfig"),
    },
    "logs": {
        *("AssociateKmsKey", "CreateLogDelivery", "CreateLogStream", "DeleteDataProtectionPolicy"),
        *("DeleteIndexPolicy", "DeleteResourcePolicy", "DescribeLogStreams", "DisassociateKmsKey"),
        *("PutBearerTokenAuthentication", "PutDataProtectionPolicy", "PutIndexPolicy"),
        *("PutLogEvents", "PutLogGroupDeletionProtection", "PutResourcePolicy"),
    },
    "secretsmanager": {"RemoveRegionsFromReplication", "ReplicateSecretToRegions"},
    "wafv2": {"GetPermissionPolicy", "PutPermissionPolicy"},
}
#: What `sam deploy` itself calls: change sets, and the bucket in which it keeps the build.
SAM_CLI = [
    {
        "Effect": "Allow",
        "Action": [
            "cloudformation:CreateChangeSet",
            "cloudformation:DeleteChangeSet",
            "cloudformation:DescribeChangeSet",
            "cloudformation:DescribeStackEvents",
            "cloudformation:DescribeStacks",
            "cloudformation:ExecuteChangeSet",
            "cloudformation:GetTemplate",
            "cloudformation:ListStackResources",
            "cloudformation:TagResource",
        ],
        "Resource": [
            "arn:aws:cloudformation:*:*:stack/aws-sam-cli-managed-default/*",
            "arn:aws:cloudformation:*:*:stack/losi*/*",
            "arn:aws:cloudformation:*:aws:transform/Serverless-2016-10-31",
        ],
    },
    {"Effect": "Allow", "Action": ["cloudformation:GetTemplateSummary"], "Resource": "*"},
    {
        "Effect": "Allow",
        "Action": [
            "s3:CreateBucket",
            "s3:GetBucketPolicy",
            "s3:GetObject",
            "s3:GetObjectVersion",
            "s3:ListBucket",
            "s3:PutBucketPolicy",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketTagging",
            "s3:PutBucketVersioning",
            "s3:PutEncryptionConfiguration",
            "s3:PutObject",
        ],
        "Resource": "arn:aws:s3:::aws-sam-cli-managed-default-*",
    },
]
#: Roles that AWS's services create for themselves when an account first uses them: for a custom
#: domain, and for Managed Instances.
SERVICE_ROLES = {
    "Effect": "Allow",
    "Action": ["iam:CreateServiceLinkedRole"],
    "Resource": [
        "arn:aws:iam::*:role/aws-service-role/lambda.amazonaws.com/*",
        "arn:aws:iam::*:role/aws-service-role/ops.apigateway.amazonaws.com/*",
    ],
}
#: The parameters that make every optional resource, so that all resources are translated.
EVERYTHING = {"GradualDeployment": "Canary10Percent5Minutes"}


class UnknownServiceError(Exception):
    """A handler calls a service that this module does not list as used or unused."""


def policy() -> dict[str, Any]:
    """Raises UnknownServiceError, SamFailedError."""
    kinds = {resource["Type"] for resource in translated(**EVERYTHING).values()}
    statements: list[dict[str, Any]] = []
    for service, actions in sorted(needed(kinds).items()):
        bound = [name for name in actions if _actions(service)[name.lower()].get("Resources")]
        free = [name for name in actions if name not in bound]
        for names, resources in ((bound, RESOURCES[service]), (free, ["*"])):
            if names:
                statements.append(_statement(service, names, resources))
    return {"Version": "2012-10-17", "Statement": [*statements, SERVICE_ROLES, *SAM_CLI]}


def needed(kinds: Iterable[str]) -> dict[str, list[str]]:
    """Service -> the actions with which CloudFormation creates, reads, changes and deletes these
    types.
    """
    found: dict[str, set[str]] = {}
    for kind in kinds:
        for handler, row in _handlers(kind).items():
            for permission in row["permissions"] if handler != "list" else ():
                service, _, action = permission.partition(":")
                if service in UNUSED or action in LEFT_OUT.get(service, ()):
                    continue
                if service not in RESOURCES:
                    raise UnknownServiceError(
                        f"{kind} is made with {permission}: add {service} to RESOURCES or UNUSED "
                        "of local/deployer.py."
                    )
                if action.lower() in _actions(service):  # schemas also name what does not exist
                    found.setdefault(service, set()).add(action)
    return {service: sorted(actions) for service, actions in found.items()}


def _statement(service: str, names: list[str], resources: list[str]) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Action": [f"{service}:{name}" for name in names],
        "Resource": resources,
    }


@cache
def _schemas() -> dict[str, Any]:
    schemas = (json.loads(path.read_text()) for path in _linter("schemas/resources").glob("*.json"))
    return {schema["typeName"]: schema for schema in schemas if "typeName" in schema}


def _handlers(kind: str) -> dict[str, Any]:
    handlers: dict[str, Any] = _schemas()[kind]["handlers"]
    return handlers


@cache
def _all_actions() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_linter("AdditionalSpecs/Policies.json").read_text())
    return found


def _actions(service: str) -> dict[str, Any]:
    actions: dict[str, Any] = _all_actions()[service]["Actions"]
    return actions


def _linter(path: str) -> Path:
    """Read a data file of cfn-lint."""
    for found in SAM_PYTHON.parent.parent.glob(f"lib/python*/site-packages/cfnlint/data/{path}"):
        return found
    raise SamFailedError("The SAM CLI is missing: run `make sam-venv`.")


def as_text(policy: dict[str, Any]) -> str:
    return json.dumps(policy, indent=2) + "\n"


if __name__ == "__main__":
    try:
        POLICY.write_text(as_text(policy()))
    except (UnknownServiceError, SamFailedError) as error:
        sys.exit(str(error))
