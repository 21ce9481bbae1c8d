"""What all commands share: their options, their connection, and how they fail."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from losi.cli.connection import CannotConnectError, Connection, connect
from losi.errors import LosiError, StoreUnavailableError
from losi.identity.account import account_id_from
from losi.identity.key import key_id_from
from losi.identity.values import InvalidValueError

if TYPE_CHECKING:
    from losi.catalogue.models import Catalogue
    from losi.identity.session import Sessions
    from losi.management.accounts import Accounts
    from losi.metering.books import Books

Stack = Annotated[
    str | None,
    typer.Option("--stack", envvar="LOSI_STACK", help="The CloudFormation stack of the API."),
]
Region = Annotated[
    str | None, typer.Option("--region", envvar="AWS_REGION", help="The stack's AWS region.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

Command = TypeVar("Command", bound=Callable[..., None])

_COMMON = [
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=option)
    for name, default, option in (
        ("stack", None, Stack),
        ("region", None, Region),
        ("as_json", False, Json),
    )
]


class Session:
    """One run of one command."""

    def __init__(self, stack: str | None, region: str | None, as_json: bool) -> None:
        self._stack = stack
        self._region = region
        self.as_json = as_json

    @cached_property
    def connection(self) -> Connection:
        return connect(self._stack, self._region)

    @cached_property
    def catalogue(self) -> "Catalogue":
        from losi.catalogue import loader

        try:
            return loader.load()
        except loader.CatalogueError as error:
            fail(f"{error.mistakes[0]} `losi check` names all that is wrong.")

    @cached_property
    def books(self) -> "Books":
        from losi.metering.books import Books

        where = self.connection
        return Books(where.client, where.table, kept_days=where.retention.usage_days)

    @cached_property
    def accounts(self) -> "Accounts":
        from losi.management.accounts import Accounts

        where = self.connection
        return Accounts(
            where.client,
            where.table,
            self.books,
            self.catalogue.plans,
            audit_days=where.retention.audit_days,
        )

    @cached_property
    def sessions(self) -> "Sessions":
        from losi.identity.session import Sessions

        where = self.connection
        return Sessions(
            where.client,
            where.table,
            self.catalogue.plans,
            longest_days=where.retention.session_days,
        )

    @contextmanager
    def errors_in_a_line(self) -> Iterator[None]:
        try:
            yield
        except StoreUnavailableError as error:
            fail(self._why_unavailable(error.__cause__))
        except LosiError as error:
            fail(error.message)
        except (InvalidValueError, CannotConnectError) as error:
            fail(str(error))

    def _why_unavailable(self, cause: BaseException | None) -> str:
        if self.connection.endpoint is not None:
            return (
                f"The database at {self.connection.endpoint} failed. Is `make run` running? {cause}"
            )
        return f"DynamoDB did not do it, try again: {cause or 'it is busy'}"


def command(app: typer.Typer, name: str) -> Callable[[Command], Command]:
    """Register a function whose first parameter is the Session, with the options all have."""

    def register(function: Command) -> Command:
        @wraps(function)
        def run(
            *arguments: Any, stack: str | None, region: str | None, as_json: bool, **options: Any
        ) -> None:
            session = Session(stack, region, as_json)
            with session.errors_in_a_line():
                function(session, *arguments, **options)

        signature = inspect.signature(function)
        own = list(signature.parameters.values())[1:]
        run.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[
                *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own),
                *_COMMON,
            ]
        )
        app.command(name)(run)
        return function

    return register


def group(help: str) -> typer.Typer:
    return typer.Typer(help=help, no_args_is_help=True, rich_markup_mode=None)


def account_id(text: str) -> str:
    found = account_id_from(text)
    if found is None:
        raise InvalidValueError(f"'{text}' is not an account id: they look like acct_Xy12Ab34Cd.")
    return found


def key_id(text: str) -> str:
    found = key_id_from(text)
    if found is None:
        raise InvalidValueError(f"'{text}' is not a key id: they look like key_Xy12Ab34.")
    return found


def fail(message: str) -> NoReturn:
    typer.echo(f"Error: {' '.join(message.split())}", err=True)
    raise typer.Exit(1)
