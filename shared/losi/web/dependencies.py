"""What endpoints need from the layers below, and from the request."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import Request

from losi.catalogue import loader
from losi.catalogue.models import Catalogue
from losi.config import Config
from losi.errors import LosiError, NotFoundError
from losi.identity.authenticator import Authenticator, Callers
from losi.identity.principal import Principal
from losi.identity.session import Sessions
from losi.identity.throttle import Throttle
from losi.management.accounts import Accounts
from losi.metering.books import Books
from losi.metering.gate import Gate
from losi.metering.ledger import Ledger
from losi.metering.settler import Settler
from losi.store import client as store
from losi.store.dynamodb import DynamoDB, SendsToDynamoDB
from losi.store.health import StoreHealth
from losi.store.queue import settlements
from losi.store.reads import Reads
from losi.store.table import Table
from losi.store.writes import DynamoDBWrites

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from losi.management.logins import Logins
    from losi.observe.routes import RouteFigures
    from losi.web.openid_connect import OpenIdConnect

R = TypeVar("R")

#: Statuses of refusals that the body itself causes.
REFUSED_BODY = {400, 403, 404, 413}
#: The longest Lambda invocation. Used everywhere, so that no hold expires while its request runs.
LONGEST_SECONDS = 900.0
#: Seconds reserved before the process may be stopped: to send the error event, then to settle (the
#: gate's SETTLING_SECONDS), then to hand over what the store did not accept.
MARGIN_SECONDS = 6.0


class Services:
    """The services of an app, each made on first use: a cold start pays only for what its first
    request needs, and with SnapStart clients are made after the restore.
    """

    def __init__(self, config: Config) -> None:
        self.config = config

    @cached_property
    def catalogue(self) -> Catalogue:
        return loader.load()

    @cached_property
    def client(self) -> "DynamoDBClient":
        return store.client()

    @cached_property
    def dynamodb(self) -> SendsToDynamoDB:
        """The client for authentication and admission, on the event loop."""
        return self._lean_client()

    @cached_property
    def settling_dynamodb(self) -> SendsToDynamoDB:
        """A separate client for settlements."""
        return self._lean_client()

    def _lean_client(self) -> DynamoDB:
        config = self.config
        return DynamoDB(config.region, config.dynamodb_endpoint, config.store_seconds / 2)

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(
            DynamoDBWrites(self.dynamodb, self.config.table),
            settlements=DynamoDBWrites(self.settling_dynamodb, self.config.table),
            plans=self.catalogue.plans.values(),
            patience=self.config.store_seconds,
            kept_days=self.config.retention.usage_days,
        )

    @cached_property
    def books(self) -> Books:
        return Books(self.client, self.config.table, kept_days=self.config.retention.usage_days)

    @cached_property
    def accounts(self) -> Accounts:
        return Accounts(
            self.client,
            self.config.table,
            self.books,
            self.catalogue.plans,
            audit_days=self.config.retention.audit_days,
        )

    @cached_property
    def authenticator(self) -> Authenticator:
        return Authenticator(
            self.client,
            self.config.table,
            self.catalogue.plans,
            retention=self.config.retention,
        )

    @cached_property
    def sessions(self) -> Sessions:
        return Sessions(
            self.client,
            self.config.table,
            self.catalogue.plans,
            longest_days=self.config.retention.session_days,
        )

    @cached_property
    def openid_connect(self) -> "OpenIdConnect":
        """The client whose settings the deployment stored in a parameter. Only its name is known
        when the function is created, because the settings contain the function's own address.
        """
        from losi.web.openid_connect import Client, OpenIdConnect

        if not self.config.signs_in:
            raise NotFoundError(
                "No OpenID Connect issuer is set up here. Sign in with an API key.",
                code="unknown_url",
            )
        found = json.loads(self.config.sign_in or read_parameter(self.config.sign_in_parameter))
        client = Client(found["issuer"], found["client_id"], found.get("client_secret", ""))
        return OpenIdConnect(client)

    @cached_property
    def logins(self) -> "Logins":
        from losi.management.logins import Logins, SelfSignUp

        plan, most = self.config.self_sign_up_plan, self.config.self_sign_ups_a_day
        sign_up = SelfSignUp(plan, most) if plan and most else None
        return Logins(Table(self.client, self.config.table), self.accounts, sign_up)

    @cached_property
    def gate(self) -> Gate:
        settler = Settler(self.ledger, settlements(self.config))
        callers = Callers(self.authenticator, Reads(self.dynamodb, self.config.table))
        return Gate(callers, self.ledger, settler)

    @cached_property
    def store_health(self) -> StoreHealth:
        return StoreHealth(self.dynamodb, self.config.table)

    @cached_property
    def route_figures(self) -> "RouteFigures | None":
        """None in a stack whose `Metrics` are not `details`."""
        from losi.observe.routes import FromCloudWatch, FromLog, cloudwatch

        if self.config.local_data:
            return FromLog(Path(self.config.local_data))
        if self.config.metrics_namespace and self.config.metrics_details:
            return FromCloudWatch(cloudwatch(), self.config.metrics_namespace)
        return None

    @cached_property
    def management_throttle(self) -> Throttle:
        """Limits management reads in memory: counting them in the table would cost more than the
        reads.
        """
        return Throttle(5, 60, "Too many requests with this API key. Try again in a second.")

    @cached_property
    def refusal_throttle(self) -> Throttle:
        """Limits refused bodies, which nothing else counts, however costly they were to read."""
        return Throttle(
            1,
            60,
            "Too many requests of this API key were refused lately. Mend them, and slow down.",
        )


def read_parameter(name: str) -> str:
    """The value of a parameter of Systems Manager."""
    import boto3

    found: Any = boto3.client("ssm").get_parameter(Name=name, WithDecryption=True)
    return str(found["Parameter"]["Value"])


def services_of(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


def seconds_left(request: Request) -> float:
    """Seconds that this invocation may still run; Mangum and our runtime put its context in the
    scope.
    """
    context = request.scope.get("aws.context")
    if context is None:
        return LONGEST_SECONDS - MARGIN_SECONDS
    return float(context.get_remaining_time_in_millis()) / 1000 - MARGIN_SECONDS


def request_id(request: Request) -> str:
    return str(request.state.request_id)


def throttled(caller: Principal) -> str:
    return f"{caller.account_id}.{caller.key_id}"


@contextmanager
def counted_refusals(services: Services, caller: Principal) -> Iterator[None]:
    """A context around code that may refuse a body: counts the refusals, because the ledger counts
    only admitted requests.
    """
    services.refusal_throttle.check(throttled(caller))
    try:
        yield
    except LosiError as error:
        if error.status in REFUSED_BODY:
            services.refusal_throttle.count(throttled(caller))
        raise


@asynccontextmanager
async def parsing_for(
    services: Services, caller: Principal, again: Callable[[], Awaitable[object]]
) -> AsyncIterator[None]:
    """A context around reading and checking a body. Refusals of the body are shown only to a key
    known to be good (`again` authenticates it with fresh records), and only a limited number of
    them.
    """
    with counted_refusals(services, caller):
        try:
            yield
        except LosiError:
            await again()
            raise
