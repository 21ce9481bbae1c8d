"""Checks the whole table for consistency: the books, accounts, keys and lookups."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from losi.management.emails import INDEXED, lookup_of
from losi.metering.day_item import DayItem, sort_key
from losi.metering.invariants import mistakes
from losi.store.client import LOGIN, PROFILE, Item, partition

ACCOUNT = partition("")
#: Prefix of an account's sort keys -> name of that kind of item.
KINDS = {
    PROFILE: "accounts",
    "KEY#": "keys",
    "SESSION#": "sessions",
    LOGIN: "notes of sign-ins",
    "DAY#": "days",
    "TEST#": "days of test keys",
    "FOLDED-": "side items",
}
#: Partitions that belong to no account.
OTHERS = {
    "AUDIT#": "audit records",
    "EMAIL#": "e-mail addresses",
    LOGIN: "sign-ins",
    "SIGNUPS#": "counts of sign-ups",
    "OPENED#": "entries of the register",
    "RECONCILIATION": "state of the reconciliation",
}


@dataclass
class Checked:
    """How many items of each kind there are, and what is wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    mistakes: list[str] = field(default_factory=list)


@dataclass
class _Seen:
    """What can only be judged when all items have been read."""

    profiles: dict[str, Item] = field(default_factory=dict)
    keys: Counter[str] = field(default_factory=Counter)
    owned: dict[str, str] = field(default_factory=dict)
    lookups: dict[str, str] = field(default_factory=dict)
    wrong_days: list[DayItem] = field(default_factory=list)
    folded: dict[tuple[str, str], DayItem] = field(default_factory=dict)


def check(items: Iterable[Item]) -> Checked:
    """Check all items. Takes memory for each account, but not for its days."""
    checked, seen = Checked(), _Seen()
    for item in items:
        pk, sk = item["pk"]["S"], item["sk"]["S"]
        kind = _kind(pk, sk)
        checked.counts[kind or "unknown"] += 1
        try:
            if kind is None:
                checked.mistakes.append(f"{pk} {sk}: no version that is known here writes it")
            else:
                _see(item, pk, sk, seen)
        except (KeyError, ValueError) as error:  # another type, or no whole number
            checked.mistakes.append(f"{pk} {sk}: it cannot be read: {type(error).__name__}")
    checked.mistakes += _judged(seen)
    return checked


def _kind(pk: str, sk: str) -> str | None:
    known, text = (KINDS, sk) if pk.startswith(ACCOUNT) else (OTHERS, pk)
    return next((kind for begin, kind in known.items() if text.startswith(begin)), None)


def _see(item: Item, pk: str, sk: str, seen: _Seen) -> None:
    if pk.startswith("EMAIL#"):
        if (pk, sk) != (INDEXED["pk"]["S"], INDEXED["sk"]["S"]):
            seen.lookups[pk] = item["account"]["S"]
        return
    if not pk.startswith(ACCOUNT):
        return
    account_id = pk.removeprefix(ACCOUNT)
    if sk == PROFILE:
        seen.profiles[account_id] = item
    elif sk.startswith("FOLDED-"):
        seen.folded[account_id, sk.removeprefix("FOLDED-")] = DayItem.from_item(item)
    elif sk.startswith(("DAY#", "TEST#")):
        day = DayItem.from_item(item)
        if mistakes(day):
            seen.wrong_days.append(day)
        if day.is_open:  # a mark without content is what remains of a deleted account
            seen.owned[account_id] = sk
    else:
        seen.keys[account_id] += sk.startswith("KEY#")
        seen.owned[account_id] = sk


def _judged(seen: _Seen) -> Iterator[str]:
    for day in seen.wrong_days:
        sort = sort_key(day.day, test=day.test)
        for mistake in mistakes(day, seen.folded.get((day.account_id, sort))):
            yield f"acct_{day.account_id} {sort}: {mistake}"
    for account_id, sk in seen.owned.items():
        if account_id not in seen.profiles:
            yield f"acct_{account_id} {sk}: the account does not exist"
    for account_id, profile in seen.profiles.items():
        counted, there = int(profile["key_count"]["N"]), seen.keys[account_id]
        if counted != there:
            yield f"acct_{account_id}: it counts {counted} keys, and has {there}"
    for pk, account_id in seen.lookups.items():
        profile = seen.profiles.get(account_id, {})
        if lookup_of(profile.get("email", {}).get("S", "")) != pk:
            yield f"acct_{account_id}: an e-mail address that is not its own leads to it"
