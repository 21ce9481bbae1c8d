"""What routers need of the layers below, made once per process and on first use.

Nothing here is created at import: a cold start pays only for what its first request uses, and
under SnapStart clients are made after the restore.
"""

from functools import cache
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from losi.catalogue import loader
from losi.catalogue.catalogue import Catalogue
from losi.identity.authenticator import Authenticator
from losi.identity.principal import Principal
from losi.identity.session import Sessions, SessionToken
from losi.management.accounts import Accounts
from losi.metering.books import Books
from losi.metering.gate import Gate
from losi.metering.ledger import Ledger
from losi.metering.settler import Settler
from losi.store import client as store
from losi.store.queue import settlements
from losi.store.writes import DynamoDBWrites
from losi.web.credentials import credential
from losi.web.endpoints import endpoint

#: Lambda's longest invocation; elsewhere the same holds, so that no hold outlives its request.
LONGEST_SECONDS = 900.0
#: Left before the process may be stopped: to send the error event, then to settle (the gate's
#: SETTLING_SECONDS), then to hand over what the store did not take.
MARGIN_SECONDS = 6.0


@cache
def catalogue() -> Catalogue:
    return loader.load()


@cache
def ledger() -> Ledger:
    def writes() -> DynamoDBWrites:
        return DynamoDBWrites(store.single_try_client(), store.table_name())

    return Ledger(writes(), settlements=writes(), plans=catalogue().plans.values())


@cache
def books() -> Books:
    return Books(store.client(), store.table_name())


@cache
def accounts() -> Accounts:
    return Accounts(store.client(), store.table_name(), books(), catalogue().plans)


@cache
def authenticator() -> Authenticator:
    return Authenticator(store.client(), store.table_name(), catalogue().plans)


@cache
def gate() -> Gate:
    return Gate(authenticator(), ledger(), Settler(ledger(), settlements()))


@cache
def sessions() -> Sessions:
    return Sessions(store.client(), store.table_name(), catalogue().plans)


def seconds_left(request: Request) -> float:
    """What this invocation may still take; Mangum and our runtime put its context in the scope."""
    context = request.scope.get("aws.context")
    if context is None:
        return LONGEST_SECONDS - MARGIN_SECONDS
    return float(context.get_remaining_time_in_millis()) / 1000 - MARGIN_SECONDS


def request_id(request: Request) -> str:
    return str(request.state.request_id)


def fresh_principal(request: Request) -> Principal:
    """The caller, read from the store on every request, with the permission of the endpoint.

    For the management endpoints, which are called seldom: a revoked key fails at once.
    Synchronous, so that FastAPI runs it in a worker thread: boto3 blocks.
    """
    permission = endpoint(request.scope["route"].name).permission
    caller = credential(request)
    if isinstance(caller, SessionToken):
        principal = sessions().read(caller).principal
    else:
        principal = authenticator().authenticate(caller, fresh=True)
    if permission is not None:
        principal.require(permission)
    if not principal.by_session:
        accounts().touch(principal)
    return principal


Caller = Annotated[Principal, Depends(fresh_principal)]
