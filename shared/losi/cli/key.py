"""`losi key`."""

import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from losi.cli.account import AccountId
from losi.cli.output import minute, print_fields, print_json, print_table
from losi.cli.session import Session, account_id, command, group, key_id
from losi.identity.key import Key
from losi.identity.principal import PERMISSIONS
from losi.identity.values import valid_expiry, valid_name, valid_permission

app = group("Create, list and revoke API keys.")

DEFAULT_PERMISSIONS = ["chat.completions", "models.list"]


@command(app, "create")
def create(
    session: Session,
    account: AccountId,
    name: Annotated[str, typer.Option("--name", help="What the key is for.")],
    permission: Annotated[
        list[str],
        typer.Option(metavar="PERMISSION", help=f"Repeat for several: {', '.join(PERMISSIONS)}."),
    ] = DEFAULT_PERMISSIONS,
    expires_at: Annotated[
        str | None, typer.Option(help="ISO 8601 time, such as 2030-01-31T00:00:00Z.")
    ] = None,
    test: Annotated[
        bool, typer.Option("--test", help="A losi-test- key: sandbox only, never billed.")
    ] = False,
) -> None:
    """Create an API key and print it, this once.

    \b
    Examples:
      losi key create acct_Xy12Ab34Cd --name laptop
      losi key create acct_Xy12Ab34Cd --name ci --test \\
          --permission chat.completions --expires-at 2030-01-31T00:00:00Z
    """
    from losi.management.accounts import NewKey

    new = NewKey(
        valid_name(name),
        frozenset(valid_permission(each) for each in permission),
        valid_expiry(expires_at, time.time()) if expires_at is not None else None,
        test,
    )
    key, secret = session.accounts.create_key(account_id(account), new)
    if session.as_json:
        print_json(key.as_json(secret.text))
        return
    print_fields(
        (
            ("Key id", f"key_{key.id}"),
            ("Name", key.name),
            ("Permissions", ", ".join(key.as_json()["permissions"])),
            ("Expires", f"{minute(key.expires_at)} UTC" if key.expires_at else "never"),
        )
    )
    typer.echo(f"\n{secret.text}\n\nSave it now: it cannot be shown again.")


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
def revoke(session: Session, account: AccountId, key: Annotated[str, typer.Argument()]) -> None:
    """Delete a key: from now on it opens nothing.

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


def _status(key: Key, now: datetime) -> str:
    if key.expires_at is not None and key.expires_at <= now:
        status = "expired"
    else:
        status = "active" if key.is_enabled else "disabled"
    return f"{status}, test" if key.test else status
