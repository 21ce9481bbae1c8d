"""docs/deployer-policy.json: what deploys the template, and nothing that it does not need."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from local import deployer
from local.deployer import POLICY, UnknownServiceError, needed
from local.sam import SAM_PYTHON
from tests.integration.translated import translated
from tests.obtain import skip_or_fail

#: It may be bound to a stack, but a template that is none yet has nothing to be bound to.
OF_A_TEMPLATE = "cloudformation:GetTemplateSummary"
#: What a role may hold inline, without white space (a managed policy takes 6,144).
#: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MOST_CHARACTERS = 10_240


@pytest.fixture(autouse=True)
def linter() -> None:
    if not SAM_PYTHON.exists():
        skip_or_fail("The SAM CLI is missing: run `make sam-venv`")


@pytest.fixture
def policy() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(POLICY.read_text())
    return found


def allowed(policy: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        resources = statement["Resource"]
        for action in statement["Action"]:
            yield action, [resources] if isinstance(resources, str) else resources


def test_it_is_what_the_template_needs_today() -> None:
    assert POLICY.read_text() == deployer.as_text(deployer.policy()), "run `make deploy-policy`"


def test_every_resource_of_the_template_can_be_made_changed_and_removed(
    policy: dict[str, Any],
) -> None:
    granted = {action for action, _ in allowed(policy)}
    gradual = translated(GradualDeployment="Linear10PercentEvery1Minute")
    kinds = {each["Type"] for each in gradual.values()}

    for service, actions in needed(kinds).items():
        assert {f"{service}:{name}" for name in actions} <= granted


@pytest.mark.parametrize(
    "action",
    [
        "lambda:UpdateFunctionCode",
        "lambda:PublishLayerVersion",
        "apigateway:PATCH",
        "codedeploy:CreateDeployment",
        "iam:PassRole",
        "cloudformation:ExecuteChangeSet",
    ],
)
def test_what_no_deployment_goes_without_is_in_it(policy: dict[str, Any], action: str) -> None:
    """By hand, so that a mistake in how it is made does not pass for nothing being needed."""
    assert action in {name for name, _ in allowed(policy)}


def test_no_action_has_a_star_and_a_resource_has_where_there_is_no_other(
    policy: dict[str, Any],
) -> None:
    for action, resources in allowed(policy):
        service, _, name = action.partition(":")
        known = deployer._actions(service)

        assert "*" not in action
        assert name.lower() in known
        if "*" in resources and action != OF_A_TEMPLATE:
            assert not known[name.lower()].get("Resources")


@pytest.mark.parametrize(
    "theirs",
    [
        "arn:aws:lambda:us-east-1:1:function:payroll",
        "arn:aws:dynamodb:us-east-1:1:table/payroll",
        "arn:aws:iam::1:role/Admin",
        "arn:aws:cloudformation:us-east-1:1:stack/payroll/1",
        "arn:aws:s3:::payroll/a",
        "arn:aws:secretsmanager:us-east-1:1:secret:payroll",
        "arn:aws:sqs:us-east-1:1:payroll",
        "arn:aws:logs:us-east-1:1:log-group:/payroll",
    ],
)
def test_it_reaches_nothing_that_is_not_of_a_losi_stack(
    policy: dict[str, Any], theirs: str
) -> None:
    named = {resource for _, resources in allowed(policy) for resource in resources} - {"*"}

    assert not [pattern for pattern in named if fnmatchcase(theirs, pattern)]


def test_it_reaches_no_item_of_the_table(policy: dict[str, Any]) -> None:
    actions = {action for action, _ in allowed(policy) if action.startswith("dynamodb:")}

    assert not [name for name in actions if name.endswith(("Item", "Query", "Scan", "DeleteTable"))]


def test_a_role_holds_it(policy: dict[str, Any]) -> None:
    assert len(json.dumps(policy, separators=(",", ":"))) < MOST_CHARACTERS


def test_a_service_of_which_nobody_said_what_it_is_for_is_named() -> None:
    with pytest.raises(UnknownServiceError, match=r"AWS::S3Tables::Table is made with s3tables:"):
        needed({"AWS::S3Tables::Table"})
