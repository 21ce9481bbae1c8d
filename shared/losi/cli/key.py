"""`losi key`."""

import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from losi.cli.account import AccountId
from losi.cli.output import minute, print_fields, print_json, print_table
from losi.cli.session import Session, account_id, command, group, key_id
from losi.errors import NotFoundError
from losi.identity.key import LONGEST_OVERLAP, OVERLAP, Key
from losi.identity.principal import PERMISSIONS
from losi.identity.values import InvalidValueError, valid_expiry, valid_name, valid_permission

if TYPE_CHECKING:
    from losi.identity.secret import Secret

app = group("Create, show, change, rotate and revoke API keys.")

KeyId = Annotated[str, typer.Argument(metavar="KEY", help="Such as key_Ab12Cd34.")]
Permission = typer.Option(
    "--permission", metavar="PERMISSION", help=f"Repeat for several: {', '.join(PERMISSIONS)}."
)
DEFAULT_PERMISSIONS = ["chat.completions", "models.list"]


@command(app, "create")
def create(
    session: Session,
    account: AccountId,
    name: Annotated[str, typer.Option("--name", help="What the key is for.")],
    permission: Annotated[list[str] | None, Permission] = None,
    expires_at: Annotated[
        str | None, typer.Option(help="ISO 8601 time, such as 2030-01-31T00:00:00Z.")
    ] = None,
    test: Annotated[
        bool, typer.Option("--test", help="A losi-test- key: sandbox only, never billed.")
    ] = False,
) -> None:
    """Create an API key and print it. It is shown only once.

    Without --permission an account's first key gets all permissions, so that its owner can
    create others with the API; further keys get chat.completions and models.list. The plan's
    number of keys does not apply here.

    \b
    Examples:
      losi key create acct_Xy12Ab34Cd --name laptop
      losi key create acct_Xy12Ab34Cd --name ci --test \\
          --permission chat.completions --expires-at 2030-01-31T00:00:00Z
    """
    from losi.identity.key import NewKey

    id = account_id(account)
    if permission is None:
        first = session.accounts.account(id).key_count == 0
        permission = list(PERMISSIONS) if first else DEFAULT_PERMISSIONS
    new = NewKey(
        valid_name(name),
        frozenset(valid_permission(each) for each in permission),
        valid_expiry(expires_at, time.time()) if expires_at is not None else None,
        test,
    )
    key, secret = session.accounts.create_key(id, new)
    _print_secret(session, key, secret.text)


@command(app, "show")
def show(session: Session, account: AccountId, key: KeyId) -> None:
    """Show a key: everything but its secret, which is not stored.

    \b
    Example:
      losi key show acct_Xy12Ab34Cd key_Ab12Cd34
    """
    _show(session, session.accounts.key(account_id(account), key_id(key)))


@command(app, "change")
def change(
    session: Session,
    account: AccountId,
    key: KeyId,
    name: Annotated[str | None, typer.Option("--name", help="What the key is for.")] = None,
    permission: Annotated[list[str] | None, Permission] = None,
    expires_at: Annotated[
        str | None, typer.Option(help="ISO 8601 time, or 'never'.", metavar="TIME|never")
    ] = None,
) -> None:
    """Change a key. Only what you pass changes; --permission replaces all permissions.

    \b
    Examples:
      losi key change acct_Xy12Ab34Cd key_Ab12Cd34 --permission models.list
      losi key change acct_Xy12Ab34Cd key_Ab12Cd34 --expires-at never
    """
    changes: dict[str, Any] = {}
    if name is not None:
        changes["name"] = valid_name(name)
    if permission is not None:
        changes["permissions"] = frozenset(valid_permission(each) for each in permission)
    if expires_at is not None:
        never = expires_at == "never"
        changes["expires_at"] = None if never else valid_expiry(expires_at, time.time())
    if not changes:
        raise InvalidValueError("Nothing to change: add --name, --permission or --expires-at.")
    _change(session, account, key, **changes)


@command(app, "disable")
def disable(session: Session, account: AccountId, key: KeyId) -> None:
    """Refuse a key from its next request on.

    \b
    Example:
      losi key disable acct_Xy12Ab34Cd key_Ab12Cd34
    """
    _change(session, account, key, is_enabled=False)


@command(app, "enable")
def enable(session: Session, account: AccountId, key: KeyId) -> None:
    """Undo `disable`.

    \b
    Example:
      losi key enable acct_Xy12Ab34Cd key_Ab12Cd34
    """
    _change(session, account, key, is_enabled=True)


@command(app, "rotate")
def rotate(
    session: Session,
    account: AccountId,
    key: KeyId,
    overlap: Annotated[
        int,
        typer.Option(
            min=0, max=LONGEST_OVERLAP, help="Seconds for which the old secret stays valid."
        ),
    ] = OVERLAP,
) -> None:
    """Give a key a new secret and print it. It is shown only once.

    \b
    Example:
      losi key rotate acct_Xy12Ab34Cd key_Ab12Cd34 --overlap 0
    """
    rotation = session.accounts.rotate_key(
        account_id(account), key_id(key), timedelta(seconds=overlap)
    )
    _print_secret(session, rotation.key, rotation.secret.text)


@command(app, "list")
def list_(session: Session, account: AccountId) -> None:
    """List the keys of an account. Times are UTC.

    \b
    Example:
      losi key list acct_Xy12Ab34Cd
    """
    id = account_id(account)
    session.accounts.account(id)  # an account that does not exist is an error, not an empty list
    keys = session.accounts.keys(id)
    if session.as_json:
        print_json([key.as_json() for key in keys])
        return
    now = datetime.now(UTC)
    rows = [
        (
            f"key_{key.id}",
            f"{key.name}\n{', '.join(key.as_json()['permissions'])}",
            _status(key, now),
            f"{key.expires_at:%Y-%m-%d}" if key.expires_at else "never",
            minute(key.last_used_at) or "never",
        )
        for key in keys
    ]
    print_table(("KEY", "NAME, PERMISSIONS", "STATUS", "EXPIRES", "LAST USED"), rows)


@command(app, "revoke")
def revoke(session: Session, account: AccountId, key: KeyId) -> None:
    """Delete a key. Its next request is refused.

    \b
    Example:
      losi key revoke acct_Xy12Ab34Cd key_Ab12Cd34
    """
    id = key_id(key)
    session.accounts.delete_key(account_id(account), id)
    if session.as_json:
        print_json({"deleted": f"key_{id}"})
    else:
        typer.echo(f"Revoked key_{id}.")


@command(app, "leaked")
def leaked(session: Session) -> None:
    """Delete every key that is found in the pasted or piped text.

    The text may be one key, or a scanner's report. The next request with such a key is
    refused. Text that only looks like a key, and replaced secrets, are ignored.

    \b
    Example:
      losi key leaked < report.txt
    """
    from losi.identity.secret import found_in

    if sys.stdin.isatty():
        typer.echo("Paste the key, or a text that contains it; then press Ctrl-D.", err=True)
    stopped = [_stop(session, secret) for secret in found_in(sys.stdin.read())]
    if session.as_json:
        print_json(stopped)
        return
    for one in stopped:
        typer.echo(f"{one['key']} of {one['account']}: {one['outcome']}.")
    if not stopped:
        typer.echo("The text contains no key of this API.")


def _stop(session: Session, secret: "Secret") -> dict[str, str]:
    try:
        key = session.accounts.key(secret.account_id, secret.key_id)
        if key.is_opened_by(secret.hash, datetime.now(UTC)):
            session.accounts.delete_key(secret.account_id, secret.key_id)
            outcome = "deleted"
        else:
            outcome = "left alone, as its secret was replaced before"
    except NotFoundError:
        outcome = "there is none any more"
    return {
        "account": f"acct_{secret.account_id}",
        "key": f"key_{secret.key_id}",
        "outcome": outcome,
    }


def _change(session: Session, account: str, key: str, **changes: Any) -> None:
    changed = session.accounts.change_key(
        account_id(account), key_id(key), lambda read: replace(read, **changes)
    )
    _show(session, changed)


def _show(session: Session, key: Key) -> None:
    if session.as_json:
        print_json(key.as_json())
        return
    print_fields(_fields(key))


def _fields(key: Key) -> list[tuple[str, str]]:
    return [
        ("Key id", f"key_{key.id}"),
        ("Name", key.name),
        ("Permissions", ", ".join(key.as_json()["permissions"])),
        ("Expires", f"{minute(key.expires_at)} UTC" if key.expires_at else "never"),
        ("Status", _status(key, datetime.now(UTC))),
        ("Created", f"{minute(key.created_at)} UTC, by {key.created_by or 'unknown'}"),
        ("Last used", f"{minute(key.last_used_at)} UTC" if key.last_used_at else "never"),
    ]


def _print_secret(session: Session, key: Key, secret: str) -> None:
    if session.as_json:
        print_json(key.as_json(secret))
        return
    print_fields(_fields(key)[:4])
    typer.echo(f"\n{secret}\n\nSave it now: it cannot be shown again.")


def _status(key: Key, now: datetime) -> str:
    if key.expires_at is not None and key.expires_at <= now:
        status = "expired"
    else:
        status = "active" if key.is_enabled else "disabled"
    return f"{status}, test" if key.test else status
