"""The ledger's writes as DynamoDB expressions: pure, so that each can be read in one place."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from losi.identity.principal import Principal
from losi.metering.day_item import (
    MINUTE_SECONDS,
    Hold,
    expiry_of,
    last_use,
    minute_of_day,
    requests_window,
    settled_counters,
    sort_key,
    tokens_window,
    valid_version,
)
from losi.metering.usage import Usage
from losi.store.client import primary_key

Update = dict[str, Any]

_ADMIT = (
    "SET holds.#request = :hold, committed = committed + :tokens, #last_use = :epoch_minute "
    "ADD #requests :one, #tokens :tokens"
)
_ROOM = (
    "attribute_exists(holds) AND attribute_not_exists(holds.#request)"
    " AND size(holds) < :in_flight AND committed <= :room"
    " AND (attribute_not_exists(#requests) OR #requests < :requests_per_minute)"
    " AND (attribute_not_exists(#tokens) OR #tokens <= :room_in_minute)"
    " AND (attribute_not_exists(#valid_key) OR #valid_key <= :key_version)"
    " AND (attribute_not_exists(#valid_profile) OR #valid_profile <= :profile_version)"
)


def admission(hold: Hold, principal: Principal, now: float) -> Update:
    """Place the hold if every limit has room for it and the authentication is up to date."""
    plan, minute = principal.plan, minute_of_day(hold.day, now)
    room_in_minute = plan.tokens_per_minute - hold.tokens
    # a minute's first request meets no counter, so one larger than the minute is refused here
    room = plan.tokens_per_day - hold.tokens if room_in_minute >= 0 else -1
    return {
        "Key": primary_key(hold.account_id, hold.sort),
        "UpdateExpression": _ADMIT,
        "ConditionExpression": _ROOM,
        "ExpressionAttributeNames": {
            "#request": hold.request_id,
            "#last_use": last_use(hold.key_id),
            "#requests": requests_window(minute),
            "#tokens": tokens_window(minute),
            "#valid_key": valid_version(hold.key_id),
            "#valid_profile": valid_version("p"),
        },
        "ExpressionAttributeValues": {
            ":hold": hold.to_attribute(),
            ":one": _number(1),
            ":tokens": _number(hold.tokens),
            ":epoch_minute": _number(int(now) // MINUTE_SECONDS),
            ":in_flight": _number(plan.in_flight),
            ":room": _number(room),
            ":requests_per_minute": _number(plan.requests_per_minute),
            ":room_in_minute": _number(room_in_minute),
            ":key_version": _number(principal.key_version),
            ":profile_version": _number(principal.profile_version),
        },
    }


def opening(hold: Hold, last_uses: Mapping[str, int]) -> Update:
    """Begin the day: no holds yet, and the last use of every key so far."""
    sets = {"#holds": {"M": {}}, "#committed": _number(0), "#ttl": _number(expiry_of(hold.day))}
    names = {"#holds": "holds", "#committed": "committed", "#ttl": "ttl"}
    for index, (key_id, minute) in enumerate(last_uses.items()):
        names[f"#u{index}"] = last_use(key_id)
        sets[f"#u{index}"] = _number(minute)
    return {
        "Key": primary_key(hold.account_id, hold.sort),
        "UpdateExpression": "SET " + ", ".join(f"{name} = :{name[1:]}" for name in sets),
        "ConditionExpression": "attribute_not_exists(#holds)",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {f":{name[1:]}": value for name, value in sets.items()},
    }


def closing(hold: Hold, usage: Usage | None, now: float) -> Update:
    """Take the hold away, if it is still there, and count its usage in the same write."""
    surplus = (usage.total_tokens if usage else 0) - hold.tokens
    minute = minute_of_day(hold.day, now)
    adds = {"committed": surplus}
    if usage:
        adds.update(settled_counters(hold, usage))
    if hold.minute == minute:  # what the hold took too much is free again for this minute
        adds[tokens_window(minute)] = surplus
    # the minute before stays: the clock of another process may still be in it
    old = [seen for seen in sorted(hold.windows) if seen < minute - 1]
    removes = [window(seen) for seen in old for window in (requests_window, tokens_window)]
    added = {f"#a{index}": name for index, name in enumerate(adds)}
    removed = {f"#r{index}": name for index, name in enumerate(removes)}
    return {
        "Key": primary_key(hold.account_id, hold.sort),
        "UpdateExpression": (
            f"ADD {', '.join(f'{name} :{name[1:]}' for name in added)} "
            f"REMOVE {', '.join(['holds.#request', *removed])}"
        ),
        "ConditionExpression": "attribute_exists(holds.#request)",
        "ExpressionAttributeNames": {**added, **removed, "#request": hold.request_id},
        "ExpressionAttributeValues": {
            f":{name[1:]}": _number(adds[attribute]) for name, attribute in added.items()
        },
    }


def marking(account_id: str, day: date, what: str, version: int, *, test: bool) -> Update:
    """Raise the lowest good version; a late, lower mark changes nothing."""
    return {
        "Key": primary_key(account_id, sort_key(day, test=test)),
        "UpdateExpression": "SET #valid = :version, #ttl = :ttl",
        "ConditionExpression": "attribute_not_exists(#valid) OR #valid < :version",
        "ExpressionAttributeNames": {"#valid": valid_version(what), "#ttl": "ttl"},
        "ExpressionAttributeValues": {
            ":version": _number(version),
            ":ttl": _number(expiry_of(day)),
        },
    }


def forgetting(account_id: str, day: date, key_id: str, *, test: bool) -> Update:
    """Drop a key's last use."""
    return {
        "Key": primary_key(account_id, sort_key(day, test=test)),
        "UpdateExpression": "REMOVE #last_use",
        "ConditionExpression": "attribute_exists(#last_use)",
        "ExpressionAttributeNames": {"#last_use": last_use(key_id)},
    }


def _number(value: int) -> dict[str, str]:
    return {"N": str(value)}
