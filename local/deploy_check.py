"""`make deploy-check`: what can be said about a deployment without an AWS account."""

from __future__ import annotations

import sys
from collections.abc import Callable

from local.deployer import POLICY, UnknownServiceError, as_text, policy
from local.sam import SamFailedError, run, translated
from losi.catalogue.loader import CatalogueError, load


class DeployCheckError(Exception):
    """Says what is wrong, and what to do."""


def catalogue() -> str:
    found = load()
    return f"{len(found.models)} models, {len(found.plans)} plans, {len(found.providers)} providers"


def translation() -> str:
    return f"template.yaml becomes {len(translated())} resources"


def lint() -> str:
    return run("validate", "--lint").strip().splitlines()[-1]


def deployer_policy() -> str:
    if POLICY.read_text() != as_text(policy()):
        raise DeployCheckError(
            "docs/deployer-policy.json is not what this template needs: run "
            "`make deploy-policy`, look at what changed, and give it to the role that deploys."
        )
    return "docs/deployer-policy.json has all that the template needs, and no more"


CHECKS: tuple[Callable[[], str], ...] = (catalogue, translation, lint, deployer_policy)


def main() -> int:
    """Runs all checks, even after one has failed."""
    wrong = 0
    for check in CHECKS:
        name = check.__name__.replace("_", " ")
        try:
            print(f"ok    {name}: {check()}", flush=True)
        except (CatalogueError, SamFailedError, UnknownServiceError, DeployCheckError) as error:
            wrong += 1
            print(f"WRONG {name}: {error}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
