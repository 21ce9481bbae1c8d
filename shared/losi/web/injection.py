"""What FastAPI passes to the handlers of buffered endpoints.

Streaming endpoints call it themselves (dependencies.py), so that their functions start without
FastAPI.
"""

from collections.abc import Callable
from typing import Annotated, TypeVar

import anyio.to_thread
from fastapi import Depends
from starlette.requests import Request

from losi.errors import StaleAuthenticationError, StoreUnavailableError
from losi.identity.audit import Actor, note_caller
from losi.identity.principal import Principal
from losi.identity.session import SessionToken
from losi.management.accounts import Accounts
from losi.web.credentials import credential
from losi.web.dependencies import Services, services_of, throttled
from losi.web.endpoints import endpoint

R = TypeVar("R")

CHANGE_TRIES = 3


async def _services(request: Request) -> Services:
    return services_of(request)  # not in a worker thread, where FastAPI calls plain functions


async def _accounts(request: Request) -> Accounts:
    return services_of(request).accounts


AppServices = Annotated[Services, Depends(_services)]
AppAccounts = Annotated[Accounts, Depends(_accounts)]


def fresh_principal(request: Request, services: AppServices) -> Principal:
    """The caller, read from the store on every request, with the endpoint's permission.

    For management endpoints, which are rarely called: a revoked key fails at once. Synchronous, so
    that FastAPI runs it in a worker thread, because boto3 blocks.
    """
    permission = endpoint(request.scope["route"].name).permission
    caller = credential(request)
    if isinstance(caller, SessionToken):
        principal = services.sessions.read(caller).principal
    else:
        principal = services.authenticator.authenticate(caller, fresh=True)
    note_caller(principal)
    if permission is not None:
        services.authenticator.permit(principal, permission)
    services.management_throttle.take(throttled(principal))
    if not principal.by_session:
        services.accounts.touch(principal)
    return principal


async def changed_by(request: Request, caller: Principal, change: Callable[[Actor], R]) -> R:
    """Returns what `change` returns, for the caller as its key and account are now. If either has
    changed since authentication, the caller is authenticated again, or refused.
    """
    services = services_of(request)
    for _ in range(CHANGE_TRIES):
        try:
            return await anyio.to_thread.run_sync(change, Actor.of(caller))
        except StaleAuthenticationError:
            caller = await anyio.to_thread.run_sync(fresh_principal, request, services)
    raise StoreUnavailableError


Caller = Annotated[Principal, Depends(fresh_principal)]
