"""An API key as stored: one item of the table."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from losi.identity.principal import ALL_PERMISSIONS, PERMISSIONS
from losi.identity.secret import KEY_LENGTH
from losi.identity.values import iso, optional_time, public_id, time_of
from losi.store.client import Item, key_sort, primary_key

#: Shown wherever a key is shown after its creation: the secret is not stored.
MASKED_KEY = "••••••••"

#: All that version 0.1 knew. A full key of 0.1 holds these, and 0.1 narrows a full key by them.
FIRST_PERMISSIONS = frozenset(
    ("chat.completions", "models.list", "api_keys.read", "api_keys.write", "usage.read")
)

#: Replaced secrets that may be good at the same time; beyond, the one that ends first goes.
OLD_SECRETS = 5


@dataclass(frozen=True, slots=True)
class NewKey:
    """What is decided about a key before it exists."""

    name: str
    permissions: frozenset[str]
    expires_at: datetime | None = None
    test: bool = False


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
    #: Last use of a management endpoint, to the minute; day items hold chat's last use.
    last_used_at: datetime | None = None
    #: Who made it: a key, or the operator. Unknown of keys that version 0.1 made.
    created_by: str = ""
    #: Hashes of the secrets that rotations replaced, and until when each is still good.
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
        """A full key gets each new permission when there is one."""
        return self.permissions >= ALL_PERMISSIONS

    def is_opened_by(self, hash: str, now: datetime) -> bool:
        """Whether a secret with this hash is good: the key's own, or one that goes on a while."""
        old = self.old_hashes.get(hash)
        return hash == self.hash or (old is not None and old > now)

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

    def audited(self) -> dict[str, Any]:
        """What the audit log says of it: no name, as the log outlives the account."""
        return {
            "permissions": sorted(self.permissions),
            "expires_at": iso(self.expires_at) if self.expires_at else None,
            "is_enabled": self.is_enabled,
            "test": self.test,
        }

    def as_json(self, key: str = MASKED_KEY) -> dict[str, Any]:
        """The specification's key object, and of our own who made it; `test` on test keys alone."""
        # uses are noted by the minute, which may have begun before the key was made
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
    """Those stored; of a full key all there are by now.

    Version 0.1 knows no `full`: a key without it that holds all of 0.1's permissions is full, and
    one with it that 0.1 narrowed since is not.
    """
    stored = frozenset(item["permissions"]["SS"])
    full = item.get("full", {"BOOL": True})["BOOL"] and stored >= FIRST_PERMISSIONS
    return stored | ALL_PERMISSIONS if full else stored


def key_id_from(text: str) -> str | None:
    """`key_<id>` without its prefix, or None when no key can have that id."""
    return public_id(text, "key_", KEY_LENGTH)
