"""The parts of management's transactions, as DynamoDB writes. Pure.

No two parts of a transaction name the same item: DynamoDB refuses that.
"""

from collections.abc import Mapping
from typing import Any

from losi.catalogue.plans import Plan, larger_plan
from losi.errors import PermissionDeniedError, QuotaExceededError, support
from losi.identity.account import Account
from losi.identity.audit import Actor, Record
from losi.identity.key import Key
from losi.identity.principal import ALL_PERMISSIONS, Principal
from losi.identity.session import session_sort
from losi.store.client import PROFILE, key_sort, primary_key
from losi.store.table import ABSENT, EXISTS

Write = tuple[str, dict[str, Any]]

#: Keys created, changed and rotated in a UTC day. Full keys have a separate count of the same size,
#: so that lesser keys cannot use up the changes an owner needs to stop them. The number is small
#: because each changed key adds some bytes to the day item.
CHANGES_PER_DAY = 300


def audited(record: Record) -> Write:
    return "Put", {"Item": record.to_item(), "ConditionExpression": ABSENT}


def caller_as_read(caller: Principal, but: str = "") -> list[Write]:
    """Checks that the caller's key has not changed since it was read, and that the sign-in still
    exists.

    `but` is a key whose version another part of the transaction checks.
    """
    parts: list[Write] = []
    if caller.by_session:
        session = {
            "Key": primary_key(caller.account_id, session_sort(caller.session_id)),
            "ConditionExpression": EXISTS,
        }
        parts.append(("ConditionCheck", session))
    if (key_id := used_key(caller)) not in ("", but):
        key = {
            "Key": primary_key(caller.account_id, key_sort(key_id)),
            "ConditionExpression": "#version = :version",
            "ExpressionAttributeNames": {"#version": "version"},
            "ExpressionAttributeValues": {":version": {"N": str(caller.key_version)}},
        }
        parts.append(("ConditionCheck", key))
    return parts


def used_key(caller: Principal) -> str:
    """The id of the caller's key, or of the key that opened its session; "" for a person."""
    return caller.session_key if caller.by_session else caller.key_id


def key_created(key: Key, account_id: str) -> Write:
    return "Put", {"Item": key.to_item(account_id), "ConditionExpression": ABSENT}


def key_changed(account_id: str, read: Key, changed: Key) -> Write:
    attributes = changed.attributes()
    attributes.pop("last_used_at", None)  # `touch` may be writing it at this moment
    removed = sorted({"expires_at"} - attributes.keys())
    expression = "SET " + ", ".join(f"#{name} = :{name}" for name in attributes)
    if removed:
        expression += " REMOVE " + ", ".join(f"#{name}" for name in removed)
    return "Update", {
        "Key": primary_key(account_id, key_sort(read.id)),
        "UpdateExpression": expression,
        "ConditionExpression": "#version = :read",
        "ExpressionAttributeNames": {f"#{name}": name for name in (*attributes, *removed)},
        "ExpressionAttributeValues": {
            ":read": {"N": str(read.version)},
            **{f":{name}": value for name, value in attributes.items()},
        },
    }


def key_deleted(account_id: str, key_id: str) -> list[Write]:
    """Remove the key, and subtract one from the profile's count."""
    gone = {"Key": primary_key(account_id, key_sort(key_id)), "ConditionExpression": EXISTS}
    count = {
        "Key": primary_key(account_id, PROFILE),
        "UpdateExpression": "SET key_count = key_count - :one",
        "ConditionExpression": EXISTS,
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    return [("Delete", gone), ("Update", count)]


def profile_as_read(caller: Principal) -> Write:
    return "ConditionCheck", {
        "Key": primary_key(caller.account_id, PROFILE),
        "ConditionExpression": "#version = :version",
        "ExpressionAttributeNames": {"#version": "version"},
        "ExpressionAttributeValues": {":version": {"N": str(caller.profile_version)}},
    }


def profile_changed(read: Account, changed: Account) -> Write:
    item = changed.to_item()
    names = ("plan", "name", "api_access", "disabled", "operator", "version")
    return "Update", {
        "Key": primary_key(read.id, PROFILE),
        "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in names),
        "ConditionExpression": "#version = :read",
        "ExpressionAttributeNames": {f"#{name}": name for name in names},
        "ExpressionAttributeValues": {
            ":read": {"N": str(read.version)},
            **{f":{name}": item[name] for name in names},
        },
    }


def profile_counted(account: Account, by: Actor, today: str, *, new_key: bool) -> Write:
    """Checks that the profile has not changed since the caller's key was read and that there is
    room, and counts the change.

    The conditions match `check_room` and `check_changes`: if one fails, these raise the reason.
    """
    sets, conditions, names = [], ["disabled = :false"], {}
    values: dict[str, Any] = {":false": {"BOOL": False}, ":one": {"N": "1"}}
    if new_key:
        sets.append("key_count = key_count + :one")
    if by.caller is not None:
        names["#version"] = "version"
        values |= {
            ":profile": {"N": str(by.caller.profile_version)},
            ":today": {"S": today},
            ":most": {"N": str(CHANGES_PER_DAY)},
        }
        conditions.append("#version = :profile")
        if account.changed_on == today:
            own = _counter(by.caller)
            sets.append(f"{own} = {own} + :one")
            conditions.append(f"changed_on = :today AND {own} < :most")
        else:
            values[":zero"] = {"N": "0"}
            both = {"changes_full": ":zero", "changes_other": ":zero", _counter(by.caller): ":one"}
            sets += ["changed_on = :today", *(f"{name} = {value}" for name, value in both.items())]
            conditions.append("(attribute_not_exists(changed_on) OR changed_on <> :today)")
            values.pop(":most")
        if new_key:
            values[":limit"] = {"N": str(by.caller.plan.keys)}
            conditions.append("key_count < :limit")
    update = {
        "Key": primary_key(account.id, PROFILE),
        "UpdateExpression": "SET " + ", ".join(sets),
        "ConditionExpression": " AND ".join(conditions),
        "ExpressionAttributeValues": values,
    }
    return "Update", {**update, "ExpressionAttributeNames": names} if names else update


def check_room(account: Account, by: Actor, plans: Mapping[str, Plan]) -> None:
    """Raises if the account may not have another key. The operator may exceed the plan's number."""
    if account.disabled:
        raise PermissionDeniedError(
            f"This account is disabled. Contact {support()}.", code="api_access_disabled"
        )
    if by.caller is not None and account.key_count >= by.caller.plan.keys:
        plan = by.caller.plan
        more = larger_plan(plans.values(), "keys", plan.keys + 1)
        larger = f", or upgrade: the {more.name} plan allows {more.keys}" if more else ""
        raise PermissionDeniedError(
            f"The {plan.name} plan allows {_count(plan.keys)}, and this account has "
            f"{account.key_count}. Delete one first{larger}.",
            code="key_limit_reached",
        )


def check_changes(account: Account, by: Actor, today: str) -> None:
    """Raises if keys like the caller's have made all the changes of this day."""
    if by.caller is None or account.changed_on != today:
        return
    made = account.changes_full if is_full(by.caller) else account.changes_other
    if made >= CHANGES_PER_DAY:
        whose = "with all permissions" if is_full(by.caller) else "without all permissions"
        raise QuotaExceededError(
            f"The keys {whose} of this account have made {CHANGES_PER_DAY} changes today, the most "
            "a day allows. Go on after midnight UTC. Keys can still be deleted.",
            code="key_change_limit",
        )


def is_full(caller: Principal) -> bool:
    return caller.permissions >= ALL_PERMISSIONS


def _counter(caller: Principal) -> str:
    return "changes_full" if is_full(caller) else "changes_other"


def _count(number: int) -> str:
    return "1 API key" if number == 1 else f"{number} API keys"
