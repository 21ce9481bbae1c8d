"""`losi account`."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from losi.cli.output import minute, print_fields, print_json, print_table
from losi.cli.session import Session, account_id, command, group
from losi.identity.account import Account
from losi.identity.values import InvalidValueError, valid_name

if TYPE_CHECKING:
    from losi.metering.day_item import DayUsage

#: What template.yaml sets for the table's copies, and for logs unless its parameter says otherwise.
RECOVERY_DAYS, BACKUP_DAYS, LOG_DAYS = 35, 365, 30

app = group("Create, show, change and delete accounts.")

Switch = Annotated[Literal["on", "off"], typer.Argument(metavar="on|off")]
AccountId = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Such as acct_Xy12Ab34Cd.")]


@command(app, "create")
def create(
    session: Session,
    name: Annotated[str, typer.Option("--name", help="Name of the owner.")],
    email: Annotated[str, typer.Option("--email", help="E-mail address of the owner.")] = "",
    plan: Annotated[str, typer.Option("--plan", help="free, plus, pro or ultra.")] = "free",
    api_access: Annotated[bool, typer.Option(help="Whether its keys work.")] = True,
) -> None:
    """Create an account.

    \b
    Example:
      losi account create --name "Ada Lovelace" --email ada@example.com --plan pro
    """
    if email and not session.accounts.emails_indexed():
        session.accounts.index_emails()
    account = session.accounts.create_account(
        plan, name=valid_name(name), email=_valid_email(email), api_access=api_access
    )
    _show(session, account, then=f"Next: losi key create acct_{account.id} --name my-key")


@command(app, "show")
def show(session: Session, account: AccountId) -> None:
    """Show an account.

    \b
    Example:
      losi account show acct_Xy12Ab34Cd
    """
    _show(session, session.accounts.account(account_id(account)))


@command(app, "list")
def list_(session: Session) -> None:
    """List all accounts. Reads the whole table, which takes a while if it is large.

    \b
    Example:
      losi account list --stack losi-prod --region eu-west-1
    """
    accounts = session.accounts.list_accounts()
    if session.as_json:
        print_json([account.as_json() for account in accounts])
        return
    rows = [
        (
            f"acct_{a.id}",
            a.name,
            a.plan_name,
            _status(a),
            f"{a.created_at:%Y-%m-%d}",
            str(a.key_count),
        )
        for a in accounts
    ]
    print_table(("ACCOUNT", "NAME", "PLAN", "STATUS", "CREATED", "KEYS"), rows, right=1)


@command(app, "index")
def index(session: Session) -> None:
    """Make e-mail addresses unique, and list duplicates.

    Run it once after an update from version 0.1. It reads the whole table, and may be
    repeated.

    \b
    Example:
      losi account index --stack losi-prod --region eu-west-1
    """
    duplicates = session.accounts.index_emails()
    if session.as_json:
        print_json({"duplicates": [[account.as_json() for account in same] for same in duplicates]})
        return
    if not duplicates:
        typer.echo("Every e-mail address is that of one account.")
        return
    typer.echo("These share an address; sign-in by it leads to the first of each:\n")
    rows = [(same[0].email, f"acct_{a.id}", a.name) for same in duplicates for a in same]
    print_table(("EMAIL", "ACCOUNT", "NAME"), rows)


@command(app, "disable")
def disable(session: Session, account: AccountId) -> None:
    """Refuse all requests of an account from now on.

    \b
    Example:
      losi account disable acct_Xy12Ab34Cd
    """
    _show(session, session.accounts.set_disabled(account_id(account), True))


@command(app, "enable")
def enable(session: Session, account: AccountId) -> None:
    """Undo `disable`.

    \b
    Example:
      losi account enable acct_Xy12Ab34Cd
    """
    _show(session, session.accounts.set_disabled(account_id(account), False))


@command(app, "set-plan")
def set_plan(
    session: Session,
    account: AccountId,
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="free, plus, pro or ultra.")],
) -> None:
    """Change an account's plan, from its next request on.

    \b
    Example:
      losi account set-plan acct_Xy12Ab34Cd ultra
    """
    _show(session, session.accounts.set_plan(account_id(account), plan))


@command(app, "api-access")
def api_access(
    session: Session,
    account: AccountId,
    switch: Switch,
) -> None:
    """Switch an account's API access on or off; its keys stay.

    \b
    Example:
      losi account api-access acct_Xy12Ab34Cd off
    """
    _show(session, session.accounts.set_api_access(account_id(account), switch == "on"))


@command(app, "operator")
def operator(
    session: Session,
    account: AccountId,
    switch: Switch,
) -> None:
    """Make an account's owner an operator, or end this.

    Operators see and change all accounts in the console.

    \b
    Example:
      losi account operator acct_Xy12Ab34Cd on
    """
    _show(session, session.accounts.set_operator(account_id(account), switch == "on"))


@command(app, "delete")
def delete(
    session: Session,
    account: AccountId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete an account with its keys and its usage. This cannot be undone.

    \b
    Examples:
      losi account export acct_Xy12Ab34Cd > ada.json
      losi account delete acct_Xy12Ab34Cd
    """
    found = session.accounts.account(account_id(account))
    days = len(_usage(session, found))
    removed = {"id": f"acct_{found.id}", "keys": found.key_count, "days_of_usage": days}
    if not yes:
        typer.echo(
            f"This removes acct_{found.id} ({found.name}, plan {found.plan_name}) for good:\n"
            f"its profile, its API keys ({found.key_count}) and its usage ({days} days).",
            err=True,
        )
        typer.confirm("Delete it?", abort=True, err=True)
    session.accounts.delete_account(found.id)
    ends = _ends(session, datetime.now(UTC).date())
    if session.as_json:
        print_json({"deleted": removed, "left_until": {what: f"{day}" for what, day in ends}})
        return
    typer.echo(f"Deleted acct_{found.id}: {found.key_count} keys, {days} days of usage. Left are")
    for what, day in ends:
        typer.echo(f"  until {day}  {what}")


@command(app, "export")
def export(session: Session, account: AccountId) -> None:
    """Print everything that is stored about an account, as JSON.

    It contains the profile, keys, audit log, sessions and usage by day. Secrets of keys are
    not stored.

    \b
    Example:
      losi account export acct_Xy12Ab34Cd > ada.json
    """
    from losi.management.export import export_account

    today = datetime.now(UTC).date()
    print_json(
        export_account(
            session.accounts,
            session.books,
            session.sessions,
            session.catalogue,
            account_id(account),
            today,
        )
    )


def _ends(session: Session, today: date) -> list[tuple[str, date]]:
    """What is left of an account that is deleted today, and until when. DynamoDB removes what is
    over within some days: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
    """
    where = session.connection
    left = [
        ("a mark of today that holds its id", 2),
        ("its audit log, with ids and IP addresses, without names", where.retention.audit_days),
    ]
    if where.region:
        left.append(
            (
                "what logs say of it, by its id",
                int(where.parameters.get("LogRetentionDays", LOG_DAYS)),
            )
        )
        left.append(("the table's point-in-time recovery", RECOVERY_DAYS))
    if where.parameters.get("MonthlyBackups") == "on":
        left.append(("monthly backups", BACKUP_DAYS))
    return [(what, today + timedelta(days)) for what, days in left]


def _usage(session: Session, account: Account) -> "list[DayUsage]":
    today = datetime.now(UTC).date()
    return session.books.usage(account.id, account.created_at.date(), today)


def _show(session: Session, account: Account, then: str | None = None) -> None:
    if session.as_json:
        print_json(account.as_json())
        return
    print_fields(
        (
            ("Account", f"acct_{account.id}"),
            ("Name", account.name),
            ("Email", account.email or "-"),
            ("Plan", account.plan_name),
            ("Status", _status(account)),
            ("API keys", str(account.key_count)),
            ("Created", f"{minute(account.created_at)} UTC"),
        )
    )
    if then:
        typer.echo(f"\n{then}")


def _status(account: Account) -> str:
    if account.disabled:
        return "disabled"
    return "active" if account.api_access else "no API access"


def _valid_email(email: str) -> str:
    user, _, host = email.partition("@")
    well_formed = user and host and email.isprintable() and " " not in email and len(email) <= 254
    if email and not well_formed:
        raise InvalidValueError(
            "Invalid value for 'email': it is not an address such as ada@example.com."
        )
    return email
