"""The ledger's writes as DynamoDB expressions: pure, and all in one place."""

import operator
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from losi.identity.principal import Principal
from losi.identity.values import MINUTE_SECONDS
from losi.metering.day_item import (
    COUNTERS,
    LATE_SECONDS,
    ONCE_COUNTED,
    PROFILE_RECORD,
    ROWS,
    Hold,
    counted,
    expired,
    expiry_of,
    flat_counters,
    folded_sort_key,
    last_use,
    minute_of_day,
    requests_window,
    sort_key,
    tokens_window,
    tombstone,
    valid_version,
)
from losi.metering.usage import Usage
from losi.store.client import Item, primary_key
from losi.store.writes import Update

_ADMIT = (
    "SET holds.#request = :hold, committed = committed + :tokens, #last_use = :epoch_minute{row} "
    "ADD #requests :one, #tokens :tokens"
)
_GOOD = (
    "(attribute_not_exists(#valid_key) OR #valid_key <= :key_version)"
    " AND (attribute_not_exists(#valid_profile) OR #valid_profile <= :profile_version)"
)
_ROOM = (
    "attribute_exists(holds) AND attribute_not_exists(holds.#request)"
    " AND attribute_not_exists(#tombstone) AND attribute_not_exists(#expired)"
    " AND size(holds) < :in_flight AND committed <= :room"
    " AND (attribute_not_exists(#requests) OR #requests < :requests_per_minute)"
    " AND (attribute_not_exists(#tokens) OR #tokens <= :room_in_minute)"
    f" AND {_GOOD}"
)
#: The admission makes the list of counters that settling adds to, so that settling needs no
#: transaction and no read.
_ROW = f", {ROWS}.#key.#model = if_not_exists({ROWS}.#key.#model, :row)"


def admission(hold: Hold, principal: Principal, now: float) -> Update:
    """Place the hold if every limit has room for it and the principal's records are up to date."""
    plan, minute = principal.plan, minute_of_day(hold.day, now)
    room_in_minute = plan.tokens_per_minute - hold.tokens
    # A minute without requests has no counter to compare, so a hold larger than the limit is
    # refused here.
    room = plan.tokens_per_day - hold.tokens if room_in_minute >= 0 else -1
    names = {
        "#request": hold.request_id,
        "#tombstone": tombstone(hold.request_id),
        "#expired": expired(hold.request_id),
        "#last_use": last_use(hold.key_id),
        "#requests": requests_window(minute),
        "#tokens": tokens_window(minute),
        **_valid_names(principal),
    }
    values = {
        ":hold": hold.to_attribute(),
        ":one": _number(1),
        ":tokens": _number(hold.tokens),
        ":epoch_minute": _number(int(now) // MINUTE_SECONDS),
        ":in_flight": _number(plan.in_flight),
        ":room": _number(room),
        ":requests_per_minute": _number(plan.requests_per_minute),
        ":room_in_minute": _number(room_in_minute),
        **_valid_values(principal),
    }
    if hold.nested:
        names |= {"#key": hold.key_id, "#model": hold.model_code}
        values[":row"] = {"L": [_number(0)] * len(COUNTERS)}
    return {
        "Key": primary_key(hold.account_id, hold.sort),
        "ReturnValues": "ALL_NEW",  # for what is left of the limits; no other write needs the item
        "UpdateExpression": _ADMIT.format(row=_ROW if hold.nested else ""),
        "ConditionExpression": (
            f"attribute_exists({ROWS}.#key) AND {_ROOM}" if hold.nested else _ROOM
        ),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }


def opening(
    hold: Hold, principal: Principal, last_uses: Mapping[str, int], kept_days: int
) -> Update:
    """Open the day: no holds, and the last use of every key so far."""
    sets: dict[str, Item] = {
        "holds": {"M": {}},
        ROWS: {"M": {hold.key_id: {"M": {}}}},
        "committed": _number(0),
        "ttl": _number(expiry_of(hold.day, kept_days)),
        **{last_use(key_id): _number(minute) for key_id, minute in last_uses.items()},
    }
    # an outdated principal must not open a day: a mark may be all that is left of its account
    return {
        "Key": primary_key(hold.account_id, hold.sort),
        "UpdateExpression": "SET " + ", ".join(f"#s{n} = :s{n}" for n in range(len(sets))),
        "ConditionExpression": f"attribute_not_exists(holds) AND {_GOOD}",
        "ExpressionAttributeNames": {
            **{f"#s{n}": name for n, name in enumerate(sets)},
            **_valid_names(principal),
        },
        "ExpressionAttributeValues": {
            **{f":s{n}": value for n, value in enumerate(sets.values())},
            **_valid_values(principal),
        },
    }


def key_opening(hold: Hold, principal: Principal) -> Update:
    """Make the map of counters for a key's first request of the day."""
    return {
        "Key": primary_key(hold.account_id, hold.sort),
        "UpdateExpression": f"SET {ROWS}.#key = :empty",
        "ConditionExpression": (
            f"attribute_exists({ROWS}) AND attribute_not_exists({ROWS}.#key) AND {_GOOD}"
        ),
        "ExpressionAttributeNames": {"#key": hold.key_id, **_valid_names(principal)},
        "ExpressionAttributeValues": {":empty": {"M": {}}, **_valid_values(principal)},
    }


class _Change:
    """An update of the day item, put together from several pieces."""

    def __init__(self, hold: Hold) -> None:
        self._key = primary_key(hold.account_id, hold.sort)
        self._sets: list[str] = []
        self._adds: list[str] = []
        self._removes: list[str] = []
        self._conditions: list[str] = []
        self.names: dict[str, str] = {}
        self.values: dict[str, Item] = {}

    def _name(self, attribute: str) -> str:
        placeholder = f"#n{len(self.names)}"
        self.names[placeholder] = attribute
        return placeholder

    def _value(self, number: int) -> str:
        placeholder = f":v{len(self.values)}"
        self.values[placeholder] = _number(number)
        return placeholder

    def set(self, attribute: str, number: int) -> None:
        self._sets.append(f"{self._name(attribute)} = {self._value(number)}")

    def add(self, attribute: str, number: int) -> None:
        self._adds.append(f"{self._name(attribute)} {self._value(number)}")

    def remove(self, attribute: str) -> None:
        self._removes.append(self._name(attribute))

    def take_hold(self, hold: Hold) -> None:
        """Remove the hold, on the condition that it is there."""
        self.names["#request"] = hold.request_id
        self._removes.append("holds.#request")
        self._conditions.append("attribute_exists(holds.#request)")

    def take_record(self, hold: Hold) -> None:
        """Remove the record of the hold's expiry, on the condition that it is there."""
        self.names["#expired"] = expired(hold.request_id)
        self._removes.append("#expired")
        self._conditions.append("attribute_exists(#expired)")

    def count(self, hold: Hold, figures: tuple[int, ...]) -> None:
        """Add to the counters of the hold's key and model, in the layout of its day."""
        if not hold.nested:
            for name, figure in flat_counters(hold, figures):
                self.add(name, figure)
        elif any(figures):
            self.names |= {"#key": hold.key_id, "#model": hold.model_code}
            self._conditions.append(f"attribute_exists({ROWS}.#key.#model)")
            for place, figure in enumerate(figures):
                if figure:
                    path = f"{ROWS}.#key.#model[{place}]"
                    known = path
                    if place >= ONCE_COUNTED:  # an older row lacks this counter
                        known = f"if_not_exists({path}, {self._value(0)})"
                    self._sets.append(f"{path} = {known} + {self._value(figure)}")

    def sweep(self, hold: Hold, now: float) -> None:
        """Remove old window counters and tombstones that the admission saw."""
        minute = minute_of_day(hold.day, now)
        # the previous minute stays: another process's clock may still be in it
        for old in sorted(seen for seen in hold.windows if seen < minute - 1):
            self.remove(requests_window(old))
            self.remove(tokens_window(old))
        for name, until in hold.tombstones.items():
            if until < now and name not in self.names.values():
                self.remove(name)

    def update(self) -> Update:
        parts = (("SET", self._sets), ("ADD", self._adds), ("REMOVE", self._removes))
        return {
            "Key": self._key,
            "UpdateExpression": " ".join(f"{word} {', '.join(w)}" for word, w in parts if w),
            "ConditionExpression": " AND ".join(self._conditions),
            "ExpressionAttributeNames": self.names,
            "ExpressionAttributeValues": self.values,
        }


def closing(hold: Hold, usage: Usage | None, now: float, *, elsewhere: bool) -> Update:
    """Remove the hold, on the condition that it is there, and count its usage in the same write.

    `elsewhere`: the key was deleted and its counters moved; `folded_count` counts the usage there.
    """
    change = _Change(hold)
    change.take_hold(hold)
    surplus = (usage.total_tokens if usage else 0) - hold.tokens
    change.add("committed", surplus)
    if hold.minute == minute_of_day(hold.day, now):
        change.add(tokens_window(hold.minute), surplus)  # frees what the hold reserved too much
    if not elsewhere:
        change.count(hold, counted(usage))
    if hold.late_until > now:
        change.set(tombstone(hold.request_id), hold.late_until)
    change.sweep(hold, now)
    return change.update()


def expiring(hold: Hold, *, elsewhere: bool) -> Update:
    """Bill the estimate of a hold whose process is dead, and keep a record of it, so that a late
    settlement can replace the estimate.
    """
    change = _Change(hold)
    change.take_hold(hold)
    change.add("committed", hold.estimate.total_tokens - hold.tokens)
    if not elsewhere:
        change.count(hold, counted(hold.estimate))
    change.set(expired(hold.request_id), hold.input_tokens)
    return change.update()


def correction(hold: Hold, usage: Usage | None, now: float, *, elsewhere: bool) -> Update:
    """Replace the billed estimate of an expired hold by its actual usage."""
    change = _Change(hold)
    change.take_record(hold)
    truth = usage.total_tokens if usage else 0
    change.add("committed", truth - hold.estimate.total_tokens)
    if not elsewhere:
        change.count(hold, correcting(hold, usage))
    if hold.late_until > now:
        change.set(tombstone(hold.request_id), hold.late_until)
    return change.update()


def correcting(hold: Hold, usage: Usage | None) -> tuple[int, ...]:
    """The difference to add to the counters that hold the estimate."""
    return tuple(map(operator.sub, counted(usage), counted(hold.estimate)))


def folded_count(hold: Hold, figures: tuple[int, ...], kept_days: int) -> Update:
    """Count on the side item of the day's deleted keys."""
    adds = [(name, figure) for name, figure in flat_counters(hold, figures) if "." in name]
    return _folded(hold.account_id, hold.day, adds, kept_days, test=hold.test)


def folding(
    account_id: str, day: date, key_id: str, rows: Item, kept_days: int, *, test: bool
) -> list[Update]:
    """Move a deleted key's rows from the day item to its side item, on the condition that they are
    still as they were read.
    """
    adds = [
        (f"{key_id}.{model_code}.{counter}", int(figure["N"]))
        for model_code, counters in rows["M"].items()
        for counter, figure in zip(COUNTERS, counters["L"], strict=False)
        if int(figure["N"])
    ]
    removal: Update = {
        "Key": primary_key(account_id, sort_key(day, test=test)),
        "UpdateExpression": f"REMOVE {ROWS}.#key, #last_use",
        "ConditionExpression": f"{ROWS}.#key = :rows",
        "ExpressionAttributeNames": {"#key": key_id, "#last_use": last_use(key_id)},
        "ExpressionAttributeValues": {":rows": rows},
    }
    return [removal, _folded(account_id, day, adds, kept_days, test=test)] if adds else [removal]


def _folded(
    account_id: str, day: date, adds: Sequence[tuple[str, int]], kept_days: int, *, test: bool
) -> Update:
    added = ", ".join(f"#a{n} :a{n}" for n in range(len(adds)))
    return {
        "Key": primary_key(account_id, folded_sort_key(day, test=test)),
        "UpdateExpression": f"SET #ttl = :ttl ADD {added}",
        "ExpressionAttributeNames": {
            "#ttl": "ttl",
            **{f"#a{n}": name for n, (name, _) in enumerate(adds)},
        },
        "ExpressionAttributeValues": {
            ":ttl": _number(expiry_of(day, kept_days)),
            **{f":a{n}": _number(figure) for n, (_, figure) in enumerate(adds)},
        },
    }


def burying(hold: Hold, kept_days: int) -> Update:
    """Stop a late try of the admission from placing a hold, on the condition that there is none."""
    return {
        "Key": primary_key(hold.account_id, hold.sort),
        "UpdateExpression": "SET #tombstone = :until, #ttl = if_not_exists(#ttl, :ttl)",
        "ConditionExpression": "attribute_not_exists(holds.#request)",
        "ExpressionAttributeNames": {
            "#tombstone": tombstone(hold.request_id),
            "#request": hold.request_id,
            "#ttl": "ttl",
        },
        "ExpressionAttributeValues": {
            ":until": _number(hold.late_until),
            ":ttl": _number(expiry_of(hold.day, kept_days)),
        },
    }


def late_until(now: float) -> int:
    """Epoch second until which a try sent now may still land."""
    return int(now) + LATE_SECONDS


def marking(
    account_id: str, day: date, record: str, version: int, kept_days: int, *, test: bool
) -> Update:
    """Raise the lowest accepted version; a mark that arrives late, with a lower version, changes
    nothing.
    """
    return {
        "Key": primary_key(account_id, sort_key(day, test=test)),
        "UpdateExpression": "SET #valid = :version, #ttl = :ttl",
        "ConditionExpression": "attribute_not_exists(#valid) OR #valid < :version",
        "ExpressionAttributeNames": {"#valid": valid_version(record), "#ttl": "ttl"},
        "ExpressionAttributeValues": {
            ":version": _number(version),
            ":ttl": _number(expiry_of(day, kept_days)),
        },
    }


def forgetting(account_id: str, day: date, key_id: str, *, test: bool) -> Update:
    """Remove a key's last use."""
    return {
        "Key": primary_key(account_id, sort_key(day, test=test)),
        "UpdateExpression": "REMOVE #last_use",
        "ConditionExpression": "attribute_exists(#last_use)",
        "ExpressionAttributeNames": {"#last_use": last_use(key_id)},
    }


def _valid_names(principal: Principal) -> dict[str, str]:
    return {
        "#valid_key": valid_version(principal.key_id),
        "#valid_profile": valid_version(PROFILE_RECORD),
    }


def _valid_values(principal: Principal) -> dict[str, Any]:
    return {
        ":key_version": _number(principal.key_version),
        ":profile_version": _number(principal.profile_version),
    }


def _number(value: int) -> dict[str, str]:
    return {"N": str(value)}
