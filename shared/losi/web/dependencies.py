"""What routers need of the layers below, made once per process and on first use.

Nothing here is created at import: a cold start pays only for what its first request uses, and
under SnapStart clients are made after the restore.
"""

from collections.abc import Callable
from functools import cache

from starlette.requests import Request

from losi.identity.authenticator import Authenticator
from losi.identity.principal import Principal
from losi.management.accounts import Accounts
from losi.metering.gate import Gate
from losi.metering.ledger import Ledger
from losi.store import client as store
from losi.web.credentials import api_key


@cache
def ledger() -> Ledger:
    return Ledger(store.client(), store.table_name())


@cache
def accounts() -> Accounts:
    return Accounts(store.client(), store.table_name(), ledger())


@cache
def authenticator() -> Authenticator:
    return Authenticator(store.client(), store.table_name())


@cache
def gate() -> Gate:
    return Gate(authenticator(), ledger())


def request_id(request: Request) -> str:
    return str(request.state.request_id)


def fresh_principal(permission: str) -> Callable[..., Principal]:
    """A dependency: the caller, read from the store on every request, with that permission.

    For the management endpoints, which are called seldom: a revoked key fails at once.
    Synchronous, so that FastAPI runs it in a worker thread: boto3 blocks.
    """

    def dependency(request: Request) -> Principal:
        principal = authenticator().authenticate(api_key(request.headers), fresh=True)
        principal.require(permission)
        accounts().touch(principal)
        return principal

    return dependency
