"""/api/v1/operator: accounts and routes, for people whose own account is marked as an operator's.

Only `losi account operator` sets the mark. It is not a permission: no API key, and no session
opened by a key, has it.
"""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import anyio.to_thread
from fastapi import Depends, Header, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from losi.errors import InvalidRequestError, NotFoundError, PermissionDeniedError
from losi.identity.account import Account, account_id_from
from losi.identity.audit import Actor
from losi.identity.session import SignedIn
from losi.metering.everyone import of_account
from losi.metering.spending import By, Spent, spent
from losi.observe.routes import FAILING
from losi.validation import validated
from losi.web.api_usage import UsageQuery, usage_response
from losi.web.dependencies import Services
from losi.web.injection import AppServices
from losi.web.parsing import StrictQuery, read_json
from losi.web.responses import JsonResponse
from losi.web.session import Owner, fresh_person

PAGE = 50
NO_FIGURES = (
    "Calls are not counted by route. Deploy with the parameter Metrics=details: it costs 0.60 USD "
    "a month for each route that is called."
)


def operator(caller: Owner) -> SignedIn:
    """A dependency: an operator who signed in as a person."""
    if not caller.account.operator:
        raise PermissionDeniedError(
            "Only operators may do this. `losi account operator ACCOUNT on` makes one.",
            code="operator_required",
        )
    return caller


def fresh_operator(
    caller: Annotated[SignedIn, Depends(operator)],
    _: Annotated[SignedIn, Depends(fresh_person)],
) -> SignedIn:
    """A dependency: an operator who signed in within the last 15 minutes."""
    return caller


Operator = Annotated[SignedIn, Depends(operator)]


class ChangeAccount(BaseModel):
    """What is absent stays as it is."""

    model_config = ConfigDict(strict=True, extra="forbid")

    plan: str = ""
    disabled: bool = False


class AccountsQuery(StrictQuery):
    q: str = ""
    cursor: int = Field(default=0, ge=0)


class OneAccount(StrictQuery):
    id: str


class OtherUsageQuery(UsageQuery):
    id: str


def _other(query: Annotated[OneAccount, Query()], services: AppServices) -> Account:
    return _account(services, query.id)


def _account(services: Services, public_id: str) -> Account:
    account_id = account_id_from(public_id)
    if account_id is None:
        raise NotFoundError("No account has this id.", param="id")
    return services.accounts.account(account_id)


Other = Annotated[Account, Depends(_other)]


def list_all_accounts(
    caller: Operator, services: AppServices, query: Annotated[AccountsQuery, Query()]
) -> JsonResponse:
    """By id, e-mail or name. Reads all profiles; the figures are those of the 50 that are shown."""
    words, cursor = query.q.strip().casefold(), query.cursor
    found = [each for each in services.accounts.list_accounts() if words in _searched(each)]
    shown = found[cursor : cursor + PAGE]
    more = cursor + PAGE < len(found)
    data = {
        "accounts": [_row(services, each) for each in shown],
        "total": len(found),
        "next_cursor": cursor + PAGE if more else None,
    }
    return JsonResponse({"data": data})


def get_other_account(caller: Operator, account: Other, services: AppServices) -> JsonResponse:
    keys = [key.as_json() for key in services.accounts.keys(account.id)]
    return JsonResponse({"data": {**_row(services, account), "keys": keys}})


async def change_other_account(
    http: Request,
    caller: Annotated[SignedIn, Depends(fresh_operator)],
    account: Other,
    services: AppServices,
) -> JsonResponse:
    body = validated(ChangeAccount, await read_json(http))
    if not body.model_fields_set:
        raise InvalidRequestError(
            "Nothing to change. Send one or more of: plan, disabled.",
            code="missing_required_parameter",
        )
    if body.disabled and account.id == caller.account.id:
        raise PermissionDeniedError(
            "An operator may not disable their own account: nobody might be left to enable it.",
            code="own_account",
        )
    by, accounts = Actor.of(caller.principal), services.accounts
    if "plan" in body.model_fields_set:
        await anyio.to_thread.run_sync(accounts.set_plan, account.id, body.plan, by)
    if "disabled" in body.model_fields_set:
        await anyio.to_thread.run_sync(accounts.set_disabled, account.id, body.disabled, by)
        if body.disabled:
            await anyio.to_thread.run_sync(services.sessions.end_all, account.id)
    changed = await anyio.to_thread.run_sync(accounts.account, account.id)
    return JsonResponse({"data": await anyio.to_thread.run_sync(_row, services, changed)})


def get_other_usage(
    caller: Operator,
    services: AppServices,
    query: Annotated[OtherUsageQuery, Query()],
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    return usage_response(services, _account(services, query.id).id, query, accept)


def list_other_keys(caller: Operator, account: Other, services: AppServices) -> JsonResponse:
    return JsonResponse({"data": [key.as_json() for key in services.accounts.keys(account.id)]})


def list_routes(caller: Operator, services: AppServices) -> JsonResponse:
    """Those of the catalogue, failing ones first."""
    if services.route_figures is None:
        return JsonResponse({"data": {"source": None, "message": NO_FIGURES, "routes": []}})
    models = _models_by_route(services)
    found = services.route_figures.read(list(models), datetime.now(UTC))
    rows = [
        {"route": route, "models": models[route], "state": lately.state, **asdict(lately)}
        for route, lately in found.items()
    ]
    rows.sort(key=lambda row: row["state"] != FAILING)
    source = services.route_figures.source
    return JsonResponse({"data": {"source": source, "message": None, "routes": rows}})


def _models_by_route(services: Services) -> dict[str, list[str]]:
    """Without retired models, which no plan has."""
    found: dict[str, list[str]] = {}
    for model in services.catalogue.models.values():
        for route in model.routes if model.plans else ():
            found.setdefault(route.path, []).append(model.id)
    if services.config.sandbox_fallback:  # it answers for those whose providers have no key
        from losi.upstream.routing import SANDBOX_ROUTE

        found.setdefault(SANDBOX_ROUTE.path, [])
    return found


def _searched(account: Account) -> str:
    return f"acct_{account.id}\n{account.email}\n{account.name}".casefold()


def _row(services: Services, account: Account) -> dict[str, Any]:
    today = datetime.now(UTC).date()
    plan = account.plan(services.catalogue.plans)
    month = services.books.usage(account.id, today.replace(day=1), today)
    used = spent(of_account(account.id, month), (By.ACCOUNT,), services.catalogue).values()
    tokens = sum(day.total.total_tokens for day in month if day.day == today)
    return {
        **account.as_json(),
        "operator": account.operator,
        "limits": {
            name: getattr(plan, name)
            for name in (
                "keys",
                "requests_per_minute",
                "tokens_per_minute",
                "tokens_per_day",
                "in_flight",
            )
        },
        "today": {"tokens": tokens},
        "month": {"cost_usd": round(sum(used, Spent()).dollars, 6)},
    }
