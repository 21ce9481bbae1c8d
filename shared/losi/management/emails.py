"""Keeps e-mail addresses unique: each has a lookup item, written with its account.

Accounts of version 0.1 have none until `losi account index` has written them; before that nobody
can say whether an address is free.
"""

from collections.abc import Iterable

from losi.errors import InvalidRequestError, StoreUnavailableError
from losi.identity.account import Account
from losi.management.writes import Write
from losi.store.client import PROFILE, Item
from losi.store.table import Table

LOOKUP = "ACCOUNT"
#: Marks that all addresses are indexed.
INDEXED: Item = {"pk": {"S": "EMAIL#"}, "sk": {"S": "INDEXED"}}


def indexed(table: Table) -> bool:
    return table.item("EMAIL#", "INDEXED") is not None


def claim(table: Table, account: Account) -> list[Write]:
    """The writes that claim the address as part of the account's creation; their condition fails if
    the address is taken. Raises InvalidRequestError until all addresses are indexed.
    """
    if not account.email:
        return []
    if not indexed(table):
        raise InvalidRequestError(
            "The e-mail addresses of this table are not indexed yet, so that this one might be "
            "another account's. Run `losi account index` once."
        )
    stale = _claimed_by(table, account.email)
    free = "attribute_not_exists(pk)"
    put: Item = {"Item": _lookup(account), "ConditionExpression": free}
    if stale is not None and table.get(stale, PROFILE) is None:  # version 0.1 deleted its account
        put["ConditionExpression"] = f"{free} OR account = :stale"
        put["ExpressionAttributeValues"] = {":stale": {"S": stale}}
    return [("Put", put)]


def release(table: Table, account: Account) -> list[Write]:
    """The write that frees the address as part of the account's deletion."""
    if not account.email or _claimed_by(table, account.email) != account.id:
        return []
    item = _lookup(account)
    return [
        (
            "Delete",
            {
                "Key": {"pk": item["pk"], "sk": item["sk"]},
                "ConditionExpression": "account = :account",
                "ExpressionAttributeValues": {":account": item["account"]},
            },
        )
    ]


def refuse_taken(table: Table, email: str) -> None:
    """Raises InvalidRequestError if another account has the address."""
    if email and (taken_by := _claimed_by(table, email)) is not None:
        raise InvalidRequestError(
            f"The e-mail address is that of acct_{taken_by} already.", param="email"
        )


def owner(table: Table, email: str) -> str | None:
    """The id of the account with the address, or None. Raises StoreUnavailableError without an
    index.
    """
    found = _claimed_by(table, email)
    if found is None and not indexed(table):
        raise StoreUnavailableError(
            "Accounts cannot be found by e-mail address yet. Try again later."
        )
    return found


def index(table: Table, accounts: Iterable[Account]) -> list[list[Account]]:
    """Write the missing lookups; the oldest of several accounts with one address gets it."""
    sharing: dict[str, list[Account]] = {}
    for account in accounts:
        if account.email:
            sharing.setdefault(lookup_of(account.email), []).append(account)
    for same in sharing.values():
        table.put(_lookup(same[0]))
    table.put(INDEXED)
    return [same for same in sharing.values() if len(same) > 1]


def _claimed_by(table: Table, email: str) -> str | None:
    item = table.item(lookup_of(email), LOOKUP)
    return None if item is None else str(item["account"]["S"])


def _lookup(account: Account) -> Item:
    return {
        "pk": {"S": lookup_of(account.email)},
        "sk": {"S": LOOKUP},
        "account": {"S": account.id},
    }


def lookup_of(email: str) -> str:
    """The partition of the address's lookup item."""
    return f"EMAIL#{email.casefold()}"
