"""Accounts and their API keys in the table.

Cached logins carry the versions of the profile and the key that they were read from. A change here
first writes a higher version, then marks that version in the ledger, which refuses older ones from
the next request on. A change whose mark failed is reported as failed; made again, it marks again.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from losi.catalogue.plans import Plan, larger_plan
from losi.errors import (
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    StoreUnavailableError,
)
from losi.identity.account import Account
from losi.identity.key import Key
from losi.identity.principal import Principal
from losi.identity.secret import Secret, mint, new_account_id
from losi.identity.values import iso
from losi.metering.books import Books
from losi.metering.day_item import valid_version
from losi.store.client import PROFILE, key_sort, primary_key
from losi.store.table import ABSENT, EXISTS, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: Each key that is deleted leaves a few bytes in the day's item, so that they stay few.
KEYS_PER_DAY = 100
ATTEMPTS = 12
#: What is left of a deleted account (the mark that ends cached authentications) goes by itself.
TOMBSTONE_SECONDS = 2 * 86_400
PROFILE_MARK = valid_version("p")


@dataclass(frozen=True, slots=True)
class NewKey:
    """What is decided about a key before it exists."""

    name: str
    permissions: frozenset[str]
    expires_at: datetime | None = None
    test: bool = False


@dataclass(frozen=True, slots=True)
class Rotation:
    key: Key
    secret: Secret
    #: When the replaced secret ends.
    old_ends: datetime


class Accounts:
    """Raises NotFoundError for what is not there, StoreUnavailableError when nothing was done."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        books: Books,
        plans: Mapping[str, Plan],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table = Table(client, table)
        self._books = books
        self._plans = plans
        self._clock = clock
        #: The current minute and the keys touched in it.
        self._touched: tuple[str, set[str]] = ("", set())

    # Accounts

    def _check_plan(self, name: str) -> None:
        if name not in self._plans:
            raise InvalidRequestError(
                f"Unknown plan '{name}'. Choose from: {', '.join(self._plans)}.", param="plan"
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
        if not self._table.put(account.to_item()):
            raise InvalidRequestError(f"The account acct_{account.id} exists already.")
        return account

    def account(self, account_id: str) -> Account:
        item = self._table.get(account_id, PROFILE)
        if item is None:
            raise _no_account()
        return Account.from_item(item)

    def list_accounts(self) -> list[Account]:
        """All accounts, oldest first. Scans the table: for the operator, not for a request."""
        found = [Account.from_item(item) for item in self._table.scan(PROFILE)]
        return sorted(found, key=lambda account: (account.created_at, account.id))

    def set_plan(self, account_id: str, plan: str) -> Account:
        """Keys beyond the new plan's number stay; no more can be created."""
        self._check_plan(plan)
        return self._change_profile(account_id, plan_name=plan)

    def set_name(self, account_id: str, name: str) -> Account:
        return self._change_profile(account_id, name=name)

    def set_api_access(self, account_id: str, allowed: bool) -> Account:
        return self._change_profile(account_id, api_access=allowed)

    def set_disabled(self, account_id: str, disabled: bool) -> Account:
        return self._change_profile(account_id, disabled=disabled)

    def delete_account(self, account_id: str) -> None:
        """Shut the account, then remove everything of it, the profile last.

        Interrupted, it can be started again. Only a mark without content stays for two days, in
        place of a day's item: an authentication that another process cached ends with it.
        """
        version = str(self.set_disabled(account_id, True).version)
        ttl = str(int(self._clock()) + TOMBSTONE_SECONDS)
        requests: list[Any] = []
        for item in self._table.query(account_id):
            key = {"pk": item["pk"], "sk": item["sk"]}
            if item.get(PROFILE_MARK, {}).get("N") == version:
                mark = {**key, PROFILE_MARK: item[PROFILE_MARK], "ttl": {"N": ttl}}
                requests.append({"PutRequest": {"Item": mark}})
            elif item["sk"]["S"] != PROFILE:
                requests.append({"DeleteRequest": {"Key": key}})
        self._table.write_all(requests)
        self._table.write_all([{"DeleteRequest": {"Key": primary_key(account_id, PROFILE)}}])

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
        self, account_id: str, new: NewKey, minted: Secret | None = None
    ) -> tuple[Key, Secret]:
        """The stored key, and the secret one, which exists nowhere else from now on.

        `minted` gives the key a secret made before (the local demo account's).
        """
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
        )
        for _ in range(ATTEMPTS):
            account = self.account(account_id)
            today = self._now().date().isoformat()
            plan = account.plan(self._plans)
            _check_room(account, plan, self._plans, today)
            put = {"Item": key.to_item(account_id), "ConditionExpression": ABSENT}
            if self._table.transact(_count_key(account, plan.keys, today), ("Put", put)):
                return key, secret
        raise StoreUnavailableError

    def change_key(self, account_id: str, key_id: str, change: Callable[[Key], Key]) -> Key:
        """Store what `change` makes of the key; called again when the key changed meanwhile."""
        for _ in range(ATTEMPTS):
            read = self._stored_key(account_id, key_id)
            changed = replace(change(read), version=read.version + 1)
            if self._replace_key(account_id, read, changed):
                self._books.mark_changed(account_id, key_id, changed.version, test=changed.test)
                last_used = self._books.last_used(account_id)
                return changed.used_at(last_used.get(key_id))
        raise StoreUnavailableError

    def rotate_key(
        self, account_id: str, key_id: str, overlap: timedelta, check: Callable[[Key], None]
    ) -> Rotation:
        """Give the key a new secret; the one it had stays good for `overlap`.

        `check` sees the key first and may raise.
        """
        now = self._now()
        until = now + overlap
        secret: Secret | None = None

        def rotate(key: Key) -> Key:
            nonlocal secret
            check(key)
            if secret is None:
                secret = mint(account_id, key_id, test=key.test)
            if key.hash == secret.hash:  # it had landed, though the answer was lost
                return key
            return key.rotated(secret.hash, now, until)

        key = self.change_key(account_id, key_id, rotate)
        assert secret is not None
        return Rotation(key, secret, until)

    def delete_key(
        self, account_id: str, key_id: str, check: Callable[[Key], None] = lambda key: None
    ) -> None:
        """Disable, mark, remove: started again after a failure at any step, it completes."""

        def disable(key: Key) -> Key:
            check(key)
            return replace(key, is_enabled=False)

        self.change_key(account_id, key_id, disable)
        self._books.forget_key(account_id, key_id)
        record = {
            "Key": primary_key(account_id, key_sort(key_id)),
            "ConditionExpression": EXISTS,
        }
        count = {
            "Key": primary_key(account_id, PROFILE),
            "UpdateExpression": "SET key_count = key_count - :one",
            "ConditionExpression": EXISTS,
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
        if not self._table.transact(("Delete", record), ("Update", count)):
            raise no_such_key()  # someone else was deleting it too

    def touch(self, principal: Principal) -> None:
        """Note that the key is being used, once a minute; chat's uses stand in the ledger."""
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

    def _change_profile(self, account_id: str, **changes: Any) -> Account:
        for _ in range(ATTEMPTS):
            account = self.account(account_id)
            changed = replace(account, version=account.version + 1, **changes)
            item = changed.to_item()
            names = ("plan", "name", "api_access", "disabled", "version")
            if self._table.update(
                account_id,
                PROFILE,
                {name: item[name] for name in names},
                condition="#version = :read",
                values={":read": {"N": str(account.version)}},
            ):
                self._books.mark_changed(account_id, "p", changed.version)
                return changed
        raise StoreUnavailableError

    def _stored_key(self, account_id: str, key_id: str) -> Key:
        item = self._table.get(account_id, key_sort(key_id))
        if item is None:
            raise no_such_key()
        return Key.from_item(item)

    def _replace_key(self, account_id: str, read: Key, changed: Key) -> bool:
        """False when the key is no longer as it was read."""
        attributes = changed.attributes()
        attributes.pop("last_used_at", None)  # `touch` may be writing it at this moment
        return self._table.update(
            account_id,
            key_sort(read.id),
            attributes,
            remove={"expires_at"} - attributes.keys(),
            condition="#version = :read",
            values={":read": {"N": str(read.version)}},
        )


def _check_room(account: Account, plan: Plan, plans: Mapping[str, Plan], today: str) -> None:
    """Raises when the account may not have another key."""
    if account.disabled:
        raise PermissionDeniedError(
            "This account is disabled. Contact support.", code="api_access_disabled"
        )
    if account.key_count >= plan.keys:
        more = larger_plan(plans.values(), "keys", plan.keys + 1)
        raise PermissionDeniedError(
            f"The {plan.name} plan allows {_count(plan.keys)}, and this account has "
            f"{account.key_count}. Delete one first"
            + (f", or upgrade: the {more.name} plan allows {more.keys}." if more else "."),
            code="key_limit_reached",
        )
    if account.keys_made_on == today and account.keys_made >= KEYS_PER_DAY:
        raise QuotaExceededError(
            f"This account has created {KEYS_PER_DAY} API keys today, the most a day allows. "
            "Create the next one after midnight UTC.",
            code="key_creation_limit",
        )


def _count_key(account: Account, limit: int, today: str) -> tuple[str, dict[str, Any]]:
    """The profile's part of creating a key: one more key, of the plan's and of the day's.

    The conditions are those of `_check_room`: when one fails, that says why.
    """
    same_day = account.keys_made_on == today
    made = "keys_made + :one" if same_day else ":one"
    on = "keys_made_on = :today AND keys_made < :a_day" if same_day else "keys_made_on <> :today"
    values = {
        ":one": {"N": "1"},
        ":limit": {"N": str(limit)},
        ":plan": {"S": account.plan_name},
        ":false": {"BOOL": False},
        ":today": {"S": today},
    }
    if same_day:
        values[":a_day"] = {"N": str(KEYS_PER_DAY)}
    update = {
        "Key": primary_key(account.id, PROFILE),
        "UpdateExpression": "SET key_count = key_count + :one, "
        f"keys_made = {made}, keys_made_on = :today",
        "ConditionExpression": "key_count < :limit AND #plan = :plan AND disabled = :false "
        f"AND {on}",
        "ExpressionAttributeNames": {"#plan": "plan"},
        "ExpressionAttributeValues": values,
    }
    return "Update", update


def _count(number: int) -> str:
    return "1 API key" if number == 1 else f"{number} API keys"


def _no_account() -> NotFoundError:
    return NotFoundError("No such account. List the accounts with `losi account list`.")


def no_such_key() -> NotFoundError:
    return NotFoundError(
        "No API key with this id. List the keys with GET /api/v1/api-keys.", param="id"
    )
