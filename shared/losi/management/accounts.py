"""Accounts and their API keys in the table.

Cached principals carry the versions of the profile and key they were read from. Every change here
first writes a higher version, then marks it in the ledger, which from the next request on refuses
older ones. If the mark fails, the change is reported as failed; repeating the change marks again.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from losi.catalogue.plans import Plan
from losi.config import AUDIT_DAYS
from losi.errors import (
    InvalidRequestError,
    NotFoundError,
    StaleAuthenticationError,
    StoreUnavailableError,
)
from losi.identity import audit
from losi.identity.account import Account
from losi.identity.audit import OPERATOR, Actor, Record
from losi.identity.key import Key, NewKey
from losi.identity.principal import Principal
from losi.identity.secret import Secret, mint, new_account_id
from losi.identity.session import session_sort
from losi.identity.values import DAY_SECONDS, iso
from losi.management import emails, writes
from losi.management.authority import check_authority, check_deletion
from losi.management.erasure import erasing
from losi.metering.books import Books
from losi.metering.day_item import PROFILE_RECORD
from losi.store.client import LOGIN, PROFILE, key_sort, primary_key
from losi.store.table import ABSENT, EXISTS, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ATTEMPTS = 12
#: How long the mark of a deleted account stays, which ends cached principals. Then its TTL removes
#: it.
TOMBSTONE_SECONDS = 2 * DAY_SECONDS


@dataclass(frozen=True, slots=True)
class Rotation:
    key: Key
    secret: Secret
    #: When the replaced secret ends.
    old_ends: datetime


class Accounts:
    """Methods raise NotFoundError for what does not exist, StoreUnavailableError if nothing was
    done.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        books: Books,
        plans: Mapping[str, Plan],
        clock: Callable[[], float] = time.time,
        audit_days: int = AUDIT_DAYS,
    ) -> None:
        self._table = Table(client, table)
        self._books = books
        self._plans = plans
        self._clock = clock
        self._audit_days = audit_days
        #: The current minute, and the keys whose use was noted in it.
        self._touched: tuple[str, set[str]] = ("", set())

    # Accounts

    def _check_plan(self, name: str) -> None:
        if name not in self._plans:
            raise InvalidRequestError(
                f"Unknown plan '{name}'. Choose from: {', '.join(self._plans)}.",
                param="plan",
                code="invalid_value",
            )

    def create_account(
        self,
        plan: str,
        *,
        name: str = "",
        email: str = "",
        api_access: bool = True,
        account_id: str | None = None,
    ) -> Account:
        self._check_plan(plan)
        account = Account(
            id=account_id or new_account_id(),
            plan_name=plan,
            name=name,
            email=email,
            created_at=self._now(),
            api_access=api_access,
            version=int(self._clock()),
        )
        created = self._record(OPERATOR, account, "account.created", after=account.audited())
        put = {"Item": account.to_item(), "ConditionExpression": ABSENT}
        lookups = emails.claim(self._table, account)
        if not self._table.transact(("Put", put), *lookups, writes.audited(created)):
            emails.refuse_taken(self._table, email)
            raise InvalidRequestError(f"The account acct_{account.id} exists already.")
        return account

    def account(self, account_id: str) -> Account:
        item = self._table.get(account_id, PROFILE)
        if item is None:
            raise NotFoundError("No such account. List the accounts with `losi account list`.")
        return Account.from_item(item)

    def list_accounts(self) -> list[Account]:
        """All accounts, oldest first. Scans the table: only for operators' commands."""
        found = [Account.from_item(item) for item in self._table.scan(PROFILE)]
        return sorted(found, key=lambda account: (account.created_at, account.id))

    def set_plan(self, account_id: str, plan: str, by: Actor = OPERATOR) -> Account:
        """Change the plan. Keys above the new plan's number stay, but no more can be created."""
        self._check_plan(plan)
        return self._change_profile(account_id, "account.plan_set", by, plan_name=plan)

    def set_name(self, account_id: str, name: str, by: Actor = OPERATOR) -> Account:
        return self._change_profile(account_id, "account.renamed", by, name=name)

    def set_api_access(self, account_id: str, allowed: bool, by: Actor = OPERATOR) -> Account:
        return self._change_profile(account_id, "account.api_access_set", by, api_access=allowed)

    def set_disabled(self, account_id: str, disabled: bool, by: Actor = OPERATOR) -> Account:
        return self._change_profile(account_id, "account.disabled_set", by, disabled=disabled)

    def set_operator(self, account_id: str, operator: bool, by: Actor = OPERATOR) -> Account:
        """Set whether its owner, signed in to the console, sees and changes all accounts."""
        return self._change_profile(account_id, "account.operator_set", by, operator=operator)

    def delete_account(self, account_id: str, by: Actor = OPERATOR) -> None:
        """Disable the account, then remove all of it except the audit log, the profile last.

        Items elsewhere that lead to it are removed too: the lookup of its e-mail address, its
        owner's links from issuers, its entries in the register. After a failure, call it again.
        Only a mark without content stays for two days in place of a day item: it ends principals
        that other processes have cached.
        """
        version = self.set_disabled(account_id, True, by).version
        mark_ends = int(self._clock()) + TOMBSTONE_SECONDS
        self._table.write_all(erasing(self._table.query(account_id), version, mark_ends))
        account = self.account(account_id)
        deleted = self._record(by, account, "account.deleted", before=account.audited())
        gone = {"Key": primary_key(account_id, PROFILE), "ConditionExpression": EXISTS}
        lookups = emails.release(self._table, account)
        self._table.transact(("Delete", gone), *lookups, writes.audited(deleted))

    def audit_log(self, account_id: str, limit: int, before: str | None = None) -> list[Record]:
        """The newest records, or those before the record with sort key `before`. Works for deleted
        accounts too. Expired records are left out, though DynamoDB may still have them.
        """
        items = self._table.newest(audit.partition(account_id), limit, before, self._clock())
        return [Record.from_item(item) for item in items]

    def sign_ins(self, account_id: str) -> list[str]:
        """Fingerprints of the issuers' people who sign in to the account."""
        found = self._table.query(account_id, LOGIN)
        return [item["sk"]["S"].removeprefix(LOGIN) for item in found]

    def by_email(self, email: str) -> Account | None:
        """The account with this address, or None. Raises StoreUnavailableError until the addresses
        of version 0.1's accounts are indexed: an unknown address might belong to one of them.
        """
        account_id = emails.owner(self._table, email)
        item = account_id and self._table.get(account_id, PROFILE)
        return Account.from_item(item) if item else None

    def emails_indexed(self) -> bool:
        return emails.indexed(self._table)

    def index_emails(self) -> list[list[Account]]:
        """Write the lookups of all accounts. Returns the groups of accounts that share an address,
        oldest first.
        """
        return emails.index(self._table, self.list_accounts())

    # Keys

    def keys(self, account_id: str) -> list[Key]:
        """The account's keys, oldest first."""
        last_used = self._books.last_used(account_id)
        items = self._table.query(account_id, key_sort(""))
        found = (Key.from_item(item) for item in items)
        shown = (key.used_at(last_used.get(key.id)) for key in found)
        return sorted(shown, key=lambda key: (key.created_at, key.id))

    def key(self, account_id: str, key_id: str) -> Key:
        key = self._stored_key(account_id, key_id)
        return key.used_at(self._books.last_used(account_id).get(key_id))

    def create_key(
        self, account_id: str, new: NewKey, minted: Secret | None = None, by: Actor = OPERATOR
    ) -> tuple[Key, Secret]:
        """The stored key, and its secret, which is not kept anywhere.

        `minted` is a secret made earlier (the local demo account's). Raises
        StaleAuthenticationError if the caller's key has changed.
        """
        if by.caller is not None:
            check_authority(by.caller, new)
        secret = minted or mint(account_id, test=new.test)
        key = Key(
            id=secret.key_id,
            name=new.name,
            permissions=new.permissions,
            created_at=self._now(),
            hash=secret.hash,
            expires_at=new.expires_at,
            test=new.test,
            version=int(self._clock()),
            created_by=by.name,
        )
        for _ in range(ATTEMPTS):
            account = self._account_for(by, account_id)
            today = self._now().date().isoformat()
            writes.check_room(account, by, self._plans)
            writes.check_changes(account, by, today)
            record = self._record(by, account, "key.created", key, after=key.audited())
            if self._table.transact(
                writes.profile_counted(account, by, today, new_key=True),
                writes.key_created(key, account_id),
                *(writes.caller_as_read(by.caller) if by.caller else []),
                writes.audited(record),
            ):
                return key, secret
        raise StoreUnavailableError

    def change_key(
        self,
        account_id: str,
        key_id: str,
        change: Callable[[Key], Key],
        by: Actor = OPERATOR,
        action: str = "key.changed",
    ) -> Key:
        """Store what `change` makes of the key; it is called again if the key changed meanwhile.

        Raises StaleAuthenticationError if the caller's key has changed.
        """
        for _ in range(ATTEMPTS):
            account = self._account_for(by, account_id)
            read = self._stored_key(account_id, key_id)
            changed = replace(change(read), version=read.version + 1)
            if self._write_change(by, account, read, changed, action):
                self._books.mark_changed(account_id, key_id, changed.version, test=changed.test)
                return changed.used_at(self._books.last_used(account_id).get(key_id))
        raise StoreUnavailableError

    def rotate_key(
        self, account_id: str, key_id: str, overlap: timedelta, by: Actor = OPERATOR
    ) -> Rotation:
        """Give the key a new secret; the old one stays good for `overlap`."""
        now = self._now()
        until = now + overlap
        secret: Secret | None = None

        def rotate(key: Key) -> Key:
            nonlocal secret
            if secret is None:
                secret = mint(account_id, key_id, test=key.test)
            if key.hash == secret.hash:  # an earlier try had landed, only its answer was lost
                return key
            return key.rotated(secret.hash, now, until)

        key = self.change_key(account_id, key_id, rotate, by, "key.rotated")
        assert secret is not None
        return Rotation(key, secret, until)

    def delete_key(self, account_id: str, key_id: str, by: Actor = OPERATOR) -> None:
        """Disable, mark, remove. After a failure at any step, calling it again completes it."""
        key = self.change_key(
            account_id, key_id, lambda key: replace(key, is_enabled=False), by, "key.deletion_began"
        )
        self._books.forget_key(account_id, key_id)
        account = self.account(account_id)
        record = self._record(by, account, "key.deleted", key, before=key.audited())
        gone = writes.key_deleted(account_id, key_id)
        if not self._table.transact(*gone, writes.audited(record)):
            raise no_such_key()  # another request deleted it at the same time

    def touch(self, principal: Principal) -> None:
        """Note the key's use, once a minute; the ledger notes metered uses."""
        minute = iso(self._now().replace(second=0))
        if self._touched[0] != minute:
            self._touched = (minute, set())
        if principal.key_id in self._touched[1]:
            return
        self._table.update(
            principal.account_id,
            key_sort(principal.key_id),
            {"last_used_at": {"S": minute}},
            condition=f"{EXISTS} AND "
            "(attribute_not_exists(last_used_at) OR last_used_at < :last_used_at)",
        )
        self._touched[1].add(principal.key_id)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(int(self._clock()), UTC)

    def _change_profile(self, account_id: str, action: str, by: Actor, **changes: Any) -> Account:
        for _ in range(ATTEMPTS):
            account = self.account(account_id)
            changed = replace(account, version=account.version + 1, **changes)
            before, after = account.audited(), changed.audited()
            record = self._record(by, account, action, before=before, after=after)
            if self._table.transact(
                writes.profile_changed(account, changed), writes.audited(record)
            ):
                self._books.mark_changed(account_id, PROFILE_RECORD, changed.version)
                return changed
        raise StoreUnavailableError

    def _write_change(
        self, by: Actor, account: Account, read: Key, changed: Key, action: str
    ) -> bool:
        """Whether it was written: not if the key, or what the change depends on, has changed since
        it was read.
        """
        today = self._now().date().isoformat()
        parts = [writes.key_changed(account.id, read, changed)]
        if (caller := by.caller) is not None:
            if action == "key.deletion_began":
                check_deletion(caller, read)
                parts.append(writes.profile_as_read(caller))
            else:
                check_authority(caller, read)
                check_authority(caller, changed)
                writes.check_changes(account, by, today)
                parts.append(writes.profile_counted(account, by, today, new_key=False))
            if writes.used_key(caller) == read.id and caller.key_version != read.version:
                raise StaleAuthenticationError
            parts += writes.caller_as_read(caller, but=read.id)
        record = self._record(
            by, account, action, changed, before=read.audited(), after=changed.audited()
        )
        return self._table.transact(*parts, writes.audited(record))

    def _account_for(self, by: Actor, account_id: str) -> Account:
        """The account, if `by` may still change something in it."""
        caller = by.caller
        if caller is None:
            return self.account(account_id)
        wanted = {PROFILE: caller.profile_version}
        if used := writes.used_key(caller):
            wanted[key_sort(used)] = caller.key_version
        session = [session_sort(caller.session_id)] if caller.by_session else []
        found = self._table.get_all(account_id, [*wanted, *session])
        good = found.keys() >= {*wanted, *session} and all(
            int(found[sort]["version"]["N"]) == version for sort, version in wanted.items()
        )
        if not good or self._clock() >= caller.good_until:
            raise StaleAuthenticationError
        return Account.from_item(found[PROFILE])

    def _record(
        self,
        by: Actor,
        account: Account,
        action: str,
        key: Key | None = None,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> Record:
        target = f"acct_{account.id}" if key is None else f"key_{key.id}"
        now, days = self._clock(), self._audit_days
        return audit.record(
            account.id, by, action, target, now, before=before, after=after, kept_days=days
        )

    def _stored_key(self, account_id: str, key_id: str) -> Key:
        item = self._table.get(account_id, key_sort(key_id))
        if item is None:
            raise no_such_key()
        return Key.from_item(item)


def no_such_key() -> NotFoundError:
    return NotFoundError(
        "No API key with this id. List the keys with GET /api/v1/api-keys.", param="id"
    )
