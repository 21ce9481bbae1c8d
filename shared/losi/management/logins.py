"""Finds the account that a person of an OpenID Connect issuer signs in to.

A lookup item leads from issuer and subject to an account. A new person is matched to an account by
e-mail address, if the issuer verified it; if there is none, an account is created where the
operator allows that. Two first sign-ins at once create one account, because its address is unique.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from losi.errors import InvalidRequestError, LosiError, PermissionDeniedError, support
from losi.identity.account import Account
from losi.identity.values import DAY_SECONDS
from losi.management.accounts import Accounts
from losi.management.emails import LOOKUP
from losi.store.client import LOGIN, primary_key
from losi.store.table import Table

#: Until the count of a day's new accounts is deleted.
COUNTED_SECONDS = 3 * DAY_SECONDS


@dataclass(frozen=True, slots=True)
class Identity:
    """A person according to the issuer. The e-mail is set only if the issuer verified it."""

    issuer: str
    subject: str
    email: str
    name: str


@dataclass(frozen=True, slots=True)
class SelfSignUp:
    """The terms for people without an account who get one on sign-in."""

    plan: str
    accounts_a_day: int


class Logins:
    def __init__(
        self,
        table: Table,
        accounts: Accounts,
        sign_up: SelfSignUp | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._accounts = accounts
        self._sign_up = sign_up
        self._clock = clock

    def account_for(self, identity: Identity) -> Account:
        """Return the person's account. Raises PermissionDeniedError (403): `no_account`,
        `email_not_verified`, `too_many_accounts`.
        """
        linked = self._table.item(_partition(identity), LOOKUP)
        if linked is not None and (known := self._existing(linked["account"]["S"])) is not None:
            return known
        if not identity.email:
            raise PermissionDeniedError(
                "Your e-mail address is not verified where you signed in. Verify it there first.",
                code="email_not_verified",
            )
        account = self._accounts.by_email(identity.email) or self._create(identity)
        self._link(identity, account, stale=linked["account"]["S"] if linked else None)
        return account

    def _create(self, identity: Identity) -> Account:
        """Create an account. API access is off until its owner turns it on (the documentation's
        words).
        """
        if self._sign_up is None:
            raise PermissionDeniedError(
                f"This address has no account here. Contact {support()}.", code="no_account"
            )
        self._count(self._sign_up)
        name = identity.name[:100] or identity.email.partition("@")[0]
        try:
            return self._accounts.create_account(
                self._sign_up.plan, name=name, email=identity.email, api_access=False
            )
        except InvalidRequestError:
            made = self._accounts.by_email(identity.email)  # by the same person, a moment ago
            if made is None:
                raise
            return made

    def _count(self, sign_up: SelfSignUp) -> None:
        """Count a new account. Raises PermissionDeniedError if today's number is used up."""
        today = datetime.fromtimestamp(self._clock(), UTC).date().isoformat()
        one_more = {
            "Key": {"pk": {"S": f"SIGNUPS#{today}"}, "sk": {"S": "COUNT"}},
            "UpdateExpression": "SET #count = if_not_exists(#count, :none) + :one, #ttl = :ttl",
            "ConditionExpression": "attribute_not_exists(#count) OR #count < :most",
            "ExpressionAttributeNames": {"#count": "count", "#ttl": "ttl"},
            "ExpressionAttributeValues": {
                ":none": {"N": "0"},
                ":one": {"N": "1"},
                ":most": {"N": str(sign_up.accounts_a_day)},
                ":ttl": {"N": str(int(self._clock()) + COUNTED_SECONDS)},
            },
        }
        if not self._table.transact(("Update", one_more)):
            raise PermissionDeniedError(
                "No more accounts can be opened today. Try again tomorrow.",
                code="too_many_accounts",
            )

    def _link(self, identity: Identity, account: Account, stale: str | None) -> None:
        """Link this person to the account, whatever their address becomes. A note in the account's
        partition leads back, so that the link is removed with the account.
        """
        note = {"Item": primary_key(account.id, _partition(identity))}
        put: dict[str, Any] = {
            "Item": {
                "pk": {"S": _partition(identity)},
                "sk": {"S": LOOKUP},
                "account": {"S": account.id},
            },
            "ConditionExpression": "attribute_not_exists(pk) OR account = :known",
            "ExpressionAttributeValues": {":known": {"S": stale or account.id}},
        }
        self._table.transact(
            ("Put", put), ("Put", note)
        )  # else another sign-in of the same person has just made it

    def _existing(self, account_id: str) -> Account | None:
        try:
            return self._accounts.account(account_id)
        except LosiError as error:
            if error.code == "not_found":
                return None
            raise


def _partition(identity: Identity) -> str:
    both = f"{identity.issuer}\n{identity.subject}"
    return f"{LOGIN}{hashlib.sha256(both.encode()).hexdigest()}"
