"""An API key as stored: one item of the table."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from losi.identity.principal import ALL_PERMISSIONS, PERMISSIONS
from losi.identity.secret import KEY_LENGTH
from losi.identity.values import DAY_SECONDS, iso, optional_time, public_id, time_of
from losi.store.client import Item, key_sort, primary_key

#: Shown instead of the key after its creation: the secret is not stored.
MASKED_KEY = "••••••••"

#: All permissions of version 0.1. Its full keys have all of them, and it narrows a full key to
#: some.
FIRST_PERMISSIONS = frozenset(
    ("chat.completions", "models.list", "api_keys.read", "api_keys.write", "usage.read")
)

#: Number of replaced secrets that may be good at the same time; the next one drops the one that
#: ends first.
OLD_SECRETS = 5
#: Seconds for which a replaced secret stays good: unless something else is asked for, and at most.
OVERLAP, LONGEST_OVERLAP = DAY_SECONDS, 30 * DAY_SECONDS


@dataclass(frozen=True, slots=True)
class NewKey:
    """What is decided about a key before it is created."""

    name: str
    permissions: frozenset[str]
    expires_at: datetime | None = None
    test: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as stored, with the hash of its secret."""

    id: str
    name: str
    permissions: frozenset[str]
    created_at: datetime
    hash: str = field(repr=False)
    expires_at: datetime | None = None
    is_enabled: bool = True
    test: bool = False
    version: int = 1
    #: Last use at a management endpoint, to the minute; the day items hold the last metered use.
    last_used_at: datetime | None = None
    #: Who created it: a key, or the operator. Unknown for keys of version 0.1.
    created_by: str = ""
    #: Hash of each secret that a rotation replaced -> when it ends.
    old_hashes: Mapping[str, datetime] = field(default_factory=dict, repr=False)

    @classmethod
    def from_item(cls, item: Item) -> "Key":
        return cls(
            id=item["sk"]["S"].partition("#")[2],
            name=item["name"]["S"],
            permissions=_permissions(item),
            created_at=time_of(item["created_at"]),
            hash=item["hash"]["S"],
            expires_at=optional_time(item.get("expires_at")),
            is_enabled=item["is_enabled"]["BOOL"],
            test=item["test"]["BOOL"],
            version=int(item["version"]["N"]),
            last_used_at=optional_time(item.get("last_used_at")),
            created_by=item.get("created_by", {"S": ""})["S"],
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
            "full": {"BOOL": self.is_full},
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
        if self.created_by:
            item["created_by"] = {"S": self.created_by}
        for name, time in (("expires_at", self.expires_at), ("last_used_at", self.last_used_at)):
            if time is not None:
                item[name] = {"S": iso(time)}
        return item

    @property
    def is_full(self) -> bool:
        """Whether the key automatically gets every permission that is added later."""
        return self.permissions >= ALL_PERMISSIONS

    def is_opened_by(self, hash: str, now: datetime) -> bool:
        """Whether a secret with this hash may be good: the key's own, or one that was replaced and
        has not ended.
        """
        old = self.old_hashes.get(hash)
        return hash == self.hash or (old is not None and old > now)

    def rotated(self, hash: str, now: datetime, until: datetime) -> "Key":
        """The key with a new secret. The replaced one stays good until `until`, and no older one
        longer.
        """
        old = {known: min(end, until) for known, end in self.old_hashes.items() if end > now}
        old[self.hash] = until
        kept = sorted(old, key=lambda known: old[known])[-OLD_SECRETS:]
        return replace(self, hash=hash, old_hashes={known: old[known] for known in kept})

    def used_at(self, time: datetime | None) -> "Key":
        """The key with a last use of at least `time`."""
        times = [known for known in (self.last_used_at, time) if known is not None]
        return replace(self, last_used_at=max(times, default=None))

    def audited(self) -> dict[str, Any]:
        """What the audit log stores of it: no name, because the log outlives the account."""
        return {
            "permissions": sorted(self.permissions),
            "expires_at": iso(self.expires_at) if self.expires_at else None,
            "is_enabled": self.is_enabled,
            "test": self.test,
        }

    def as_json(self, key: str = MASKED_KEY) -> dict[str, Any]:
        """The specification's key object, and in addition who created it; `test` only for test
        keys.
        """
        # uses are noted to the minute, which may have begun before the key was made
        used = max(self.last_used_at, self.created_at) if self.last_used_at else None
        shown = {
            "id": f"key_{self.id}",
            "key": key,
            "name": self.name,
            "created_at": iso(self.created_at),
            "last_used_at": iso(used) if used else None,
            "permissions": [name for name in PERMISSIONS if name in self.permissions],
            "expires_at": iso(self.expires_at) if self.expires_at else None,
            "is_enabled": self.is_enabled,
            "created_by": self.created_by or None,
        }
        return {**shown, "test": True} if self.test else shown


def _permissions(item: Item) -> frozenset[str]:
    """The stored permissions; for a full key all that exist now.

    Version 0.1 does not know `full`: a key without it that has all of 0.1's permissions is full,
    and a key with it that 0.1 has since narrowed is not.
    """
    stored = frozenset(item["permissions"]["SS"])
    full = item.get("full", {"BOOL": True})["BOOL"] and stored >= FIRST_PERMISSIONS
    return stored | ALL_PERMISSIONS if full else stored


def key_id_from(text: str) -> str | None:
    """`key_<id>` without its prefix, or None if no key can have that id."""
    return public_id(text, "key_", KEY_LENGTH)
