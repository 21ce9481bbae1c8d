"""/api/v1/profile: the account as its owner sees it in the console, and what they change there."""

import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import anyio.to_thread
from fastapi import Depends
from pydantic import AfterValidator, BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from losi.catalogue.models import Catalogue
from losi.catalogue.plans import Plan
from losi.errors import InvalidRequestError
from losi.identity.audit import Actor
from losi.identity.principal import PERMISSIONS
from losi.identity.session import SignedIn
from losi.identity.values import iso, valid_name
from losi.management.export import export_account
from losi.metering.day_item import DayItem, sort_key, utc_day
from losi.metering.standing import standing
from losi.store.table import Table
from losi.upstream.registry import configured
from losi.validation import validated
from losi.web.cookies import clear_cookie
from losi.web.dependencies import Services
from losi.web.injection import AppServices
from losi.web.parsing import read_json
from losi.web.responses import JsonResponse
from losi.web.session import Caller, Owner, fresh_person


class ChangeProfile(BaseModel):
    """What is absent stays as it is."""

    model_config = ConfigDict(strict=True, extra="forbid")

    name: Annotated[str, AfterValidator(valid_name)] = ""
    api_access: bool = True


def get_profile(caller: Caller, services: AppServices) -> JsonResponse:
    return JsonResponse({"data": profile_json(caller, services)})


async def change_profile(http: Request, caller: Owner, services: AppServices) -> JsonResponse:
    """The name, and the switch "API access", which works for all keys from the next request on."""
    body = validated(ChangeProfile, await read_json(http))
    if not body.model_fields_set:
        raise InvalidRequestError(
            "Nothing to change. Send one or more of: name, api_access.",
            code="missing_required_parameter",
        )
    account_id, accounts = caller.account.id, services.accounts
    by = Actor.of(caller.principal)
    if "name" in body.model_fields_set:
        await anyio.to_thread.run_sync(accounts.set_name, account_id, body.name, by)
    if "api_access" in body.model_fields_set:
        await anyio.to_thread.run_sync(accounts.set_api_access, account_id, body.api_access, by)
    account = await anyio.to_thread.run_sync(accounts.account, account_id)
    changed = SignedIn(caller.session, account, caller.principal)
    return JsonResponse({"data": profile_json(changed, services)})


def get_limits(caller: Caller, services: AppServices) -> JsonResponse:
    """The figures of the `x-ratelimit-*` headers, without a completion."""
    now = time.time()
    account, today = caller.account, utc_day(now)
    test = caller.principal.test  # test keys may not see what live keys used
    sort = sort_key(today, test=test)
    found = Table(services.client, services.config.table).get_all(account.id, [sort])
    day = DayItem(account.id, today, test=test, item=found.get(sort))
    stands = standing(day, account.plan(services.catalogue.plans), now)
    return JsonResponse(
        {
            "data": {
                "minute": {
                    "requests": asdict(stands.requests_this_minute),
                    "tokens": asdict(stands.tokens_this_minute),
                },
                "day": {"tokens": asdict(stands.tokens_today)},
                "running": {"used": stands.running, "limit": stands.in_flight},
            }
        }
    )


def export_profile(caller: Owner, services: AppServices) -> JsonResponse:
    """All that is stored of the account, as a file. Of secrets there is nothing to export."""
    today = datetime.now(UTC).date()
    stored = export_account(
        services.accounts,
        services.books,
        services.sessions,
        services.catalogue,
        caller.account.id,
        today,
        caller.session,
    )
    name = f"losi-{caller.account.id}-{today}.json"
    return JsonResponse(stored, headers={"content-disposition": f'attachment; filename="{name}"'})


def delete_profile(
    http: Request, caller: Annotated[SignedIn, Depends(fresh_person)], services: AppServices
) -> Response:
    """The account with its keys, usage and sessions. Takes a sign-in of the last 15 minutes."""
    services.accounts.delete_account(caller.account.id, Actor.of(caller.principal))
    response = JsonResponse({"success": True}, headers={"clear-site-data": '"cache"'})
    clear_cookie(http, response)
    return response


def profile_json(caller: SignedIn, services: Services) -> dict[str, Any]:
    catalogue = services.catalogue
    account, person = caller.account, caller.is_person
    return {
        "id": f"acct_{account.id}",
        "name": account.name,
        # the holder of a key may learn what the key may do, but not whose it is
        "email": account.email if person else None,
        "created_at": iso(account.created_at),
        "api_access": account.api_access,
        "plan": _plan_json(account.plan(catalogue.plans), catalogue),
        "plans": [_plan_json(plan, catalogue) for plan in catalogue.plans.values()],
        "key_count": account.key_count,
        "permissions": [name for name in PERMISSIONS if name in caller.principal.permissions],
        "signed_in_with": None if person else f"key_{caller.session.key_id}",
        "test": caller.principal.test,
        "operator": person and account.operator,
        "support": services.config.support,
        "answers": answers(services),
    }


def answers(services: Services) -> str:
    """`sandbox` if no provider is set up and the sandbox answers instead (`make run`), else
    `live`.
    """
    if not services.config.sandbox_fallback:
        return "live"
    models = services.catalogue.models.values()
    providers = [route.provider for model in models for route in model.routes]
    return "live" if any(configured(services.config, one) for one in providers) else "sandbox"


def _plan_json(plan: Plan, catalogue: Catalogue) -> dict[str, Any]:
    return {
        "name": plan.name,
        "keys": plan.keys,
        "requests_per_minute": plan.requests_per_minute,
        "tokens_per_minute": plan.tokens_per_minute,
        "tokens_per_day": plan.tokens_per_day,
        "in_flight": plan.in_flight,
        "models": [model.id for model in catalogue.of_plan(plan)],
    }
