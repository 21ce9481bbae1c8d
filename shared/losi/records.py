"""Accounts and API keys as records of the table, and the rules their values obey."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from losi import keys
from losi.errors import ServerError
from losi.plans import Plan, plans
from losi.principal import PERMISSIONS
from losi.store import PROFILE, Item, key_sort, primary_key

#: Shown wherever a key is shown after its creation: the secret is not stored.
MASKED_KEY = "••••••••"

NAME_LENGTH = 100
#: Replaced secrets that may be good at the same time; beyond, the one that ends first goes.
OLD_SECRETS = 5
# Besides control characters: line separators, and the marks that turn the direction of a text and
# so make one name look like another.
_REFUSED_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
_DIRECTION_MARKS = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class InvalidValue(ValueError):
    """A value breaks a rule; the message says which, in words meant for the caller."""


@dataclass(frozen=True, slots=True)
class Account:
    id: str
    plan_name: str
    name: str
    email: str
    created_at: datetime
    api_access: bool = True
    disabled: bool = False
    #: Goes up with every change that authentication must see. Starts at the time of creation, so
    #: that no mark of a record that once had the same id (the demo's) outdates a new one.
    version: int = 1
    key_count: int = 0
    #: Keys created on the last day on which any was.
    keys_made: int = 0
    keys_made_on: str = ""

    @classmethod
    def from_item(cls, item: Item) -> "Account":
        return cls(
            id=item["pk"]["S"].partition("#")[2],
            plan_name=item["plan"]["S"],
            name=item["name"]["S"],
            email=item["email"]["S"],
            created_at=_time(item["created_at"]),
            api_access=item["api_access"]["BOOL"],
            disabled=item["disabled"]["BOOL"],
            version=int(item["version"]["N"]),
            key_count=int(item["key_count"]["N"]),
            keys_made=int(item["keys_made"]["N"]),
            keys_made_on=item["keys_made_on"]["S"],
        )

    def to_item(self) -> Item:
        return {
            **primary_key(self.id, PROFILE),
            "plan": {"S": self.plan_name},
            "name": {"S": self.name},
            "email": {"S": self.email},
            "created_at": {"S": iso(self.created_at)},
            "api_access": {"BOOL": self.api_access},
            "disabled": {"BOOL": self.disabled},
            "version": {"N": str(self.version)},
            "key_count": {"N": str(self.key_count)},
            "keys_made": {"N": str(self.keys_made)},
            "keys_made_on": {"S": self.keys_made_on},
        }

    @property
    def plan(self) -> Plan:
        try:
            return plans()[self.plan_name]
        except KeyError:
            raise ServerError(
                f"This account's plan '{self.plan_name}' does not exist any more. "
                "Contact support, so that the account is given another one."
            ) from None

    def as_json(self) -> dict[str, Any]:
        return {
            "id": f"acct_{self.id}",
            "name": self.name,
            "email": self.email,
            "plan": self.plan_name,
            "api_access": self.api_access,
            "disabled": self.disabled,
            "created_at": iso(self.created_at),
            "key_count": self.key_count,
        }


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as stored: of its secret only the hash."""

    id: str
    name: str
    permissions: frozenset[str]
    created_at: datetime
    hash: str = field(repr=False)
    expires_at: datetime | None = None
    is_enabled: bool = True
    test: bool = False
    version: int = 1
    #: Last use of a management endpoint, to the minute; chat's last use stands in the day items.
    last_used_at: datetime | None = None
    #: Hashes of the secrets that rotations replaced, and until when each is still good.
    old_hashes: Mapping[str, datetime] = field(default_factory=dict, repr=False)

    @classmethod
    def from_item(cls, item: Item) -> "Key":
        return cls(
            id=item["sk"]["S"].partition("#")[2],
            name=item["name"]["S"],
            permissions=frozenset(item["permissions"]["SS"]),
            created_at=_time(item["created_at"]),
            hash=item["hash"]["S"],
            expires_at=_optional_time(item.get("expires_at")),
            is_enabled=item["is_enabled"]["BOOL"],
            test=item["test"]["BOOL"],
            version=int(item["version"]["N"]),
            last_used_at=_optional_time(item.get("last_used_at")),
            old_hashes={
                hash: datetime.fromtimestamp(int(until["N"]), UTC)
                for hash, until in item["old_hashes"]["M"].items()
            },
        )

    def to_item(self, account_id: str) -> Item:
        return {**primary_key(account_id, key_sort(self.id)), **self.attributes()}

    def attributes(self) -> Item:
        """All attributes but the primary key; absent ones are left out."""
        item: Item = {
            "name": {"S": self.name},
            "permissions": {"SS": sorted(self.permissions)},
            "created_at": {"S": iso(self.created_at)},
            "hash": {"S": self.hash},
            "is_enabled": {"BOOL": self.is_enabled},
            "test": {"BOOL": self.test},
            "version": {"N": str(self.version)},
            "old_hashes": {
                "M": {
                    hash: {"N": str(int(until.timestamp()))}
                    for hash, until in self.old_hashes.items()
                }
            },
        }
        for name, time in (("expires_at", self.expires_at), ("last_used_at", self.last_used_at)):
            if time is not None:
                item[name] = {"S": iso(time)}
        return item

    def rotated(self, hash: str, now: datetime, until: datetime) -> "Key":
        """The key with a new secret; the replaced one stays good until `until`, no older longer."""
        old = {known: min(end, until) for known, end in self.old_hashes.items() if end > now}
        old[self.hash] = until
        kept = sorted(old, key=lambda known: old[known])[-OLD_SECRETS:]
        return replace(self, hash=hash, old_hashes={known: old[known] for known in kept})

    def used_at(self, time: datetime | None) -> "Key":
        """The key with its last use not before `time`."""
        times = [known for known in (self.last_used_at, time) if known is not None]
        return replace(self, last_used_at=max(times, default=None))

    def as_json(self, key: str = MASKED_KEY) -> dict[str, Any]:
        """The specification's key object; `test` is ours, and only on test keys."""
        shown = {
            "id": f"key_{self.id}",
            "key": key,
            "name": self.name,
            "created_at": iso(self.created_at),
            "last_used_at": iso(self.last_used_at) if self.last_used_at else None,
            "permissions": [name for name in PERMISSIONS if name in self.permissions],
            "expires_at": iso(self.expires_at) if self.expires_at else None,
            "is_enabled": self.is_enabled,
        }
        return {**shown, "test": True} if self.test else shown


def key_id_from(text: str) -> str | None:
    """`key_<id>` without its prefix, or None when no key can have that id."""
    return _public_id(text, "key_", keys.KEY_LENGTH)


def account_id_from(text: str) -> str | None:
    """`acct_<id>` without its prefix, or None when no account can have that id."""
    return _public_id(text, "acct_", keys.ACCOUNT_LENGTH)


def valid_name(name: str) -> str:
    name = name.strip(" ")
    if not name.strip():
        raise InvalidValue("Invalid value for 'name': it is empty. Write at least one character.")
    if len(name) > NAME_LENGTH:
        raise InvalidValue(
            f"Invalid value for 'name': it has {len(name)} characters. "
            f"Shorten it to {NAME_LENGTH} or fewer."
        )
    if any(
        unicodedata.category(character) in _REFUSED_CATEGORIES or character in _DIRECTION_MARKS
        for character in name
    ):
        raise InvalidValue(
            "Invalid value for 'name': it holds a control character, such as a line break. "
            "Remove it."
        )
    return name


def valid_permission(name: str) -> str:
    if name not in PERMISSIONS:
        shown = f"'{name}'" if len(name) <= NAME_LENGTH and name.isprintable() else "this one"
        raise InvalidValue(
            f"Unknown permission: {shown} does not exist. Choose from: {', '.join(PERMISSIONS)}."
        )
    return name


def valid_expiry(text: str, now: float) -> datetime:
    """An ISO 8601 time with its time zone, in the future; as UTC, in whole seconds."""
    example = iso(datetime.fromtimestamp(now, UTC) + timedelta(days=90))
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise InvalidValue(
                "Invalid value for 'expires_at': it has no time zone. "
                f"Write for example {example}, where Z stands for UTC."
            )
        time = time.astimezone(UTC).replace(microsecond=0)
    except InvalidValue:
        raise
    except (ValueError, OverflowError):  # OverflowError: the year 9999 moved into the next
        raise InvalidValue(
            f"Invalid value for 'expires_at': it is not an ISO 8601 time such as {example}."
        ) from None
    if time.timestamp() <= now:
        raise InvalidValue(
            f"Invalid value for 'expires_at': {iso(time)} is in the past. Choose a later time, "
            "or disable or delete the key to stop it now."
        )
    return time


def iso(time: datetime) -> str:
    """As the specification writes times: `2023-06-01T12:00:00Z`."""
    return time.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _public_id(text: str, prefix: str, length: int) -> str | None:
    characters = text.removeprefix(prefix)
    well_formed = text.startswith(prefix) and len(characters) == length
    return characters if well_formed and set(characters) <= set(keys.ALPHABET) else None


def _time(attribute: dict[str, str]) -> datetime:
    return datetime.fromisoformat(attribute["S"])


def _optional_time(attribute: dict[str, str] | None) -> datetime | None:
    return None if attribute is None else _time(attribute)
