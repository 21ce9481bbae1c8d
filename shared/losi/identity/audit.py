"""The audit log: who changed what, when and from where. One item a change.

The items are in a partition of their own, not in the account's, so that the log outlives the
account. It contains ids and no names.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from losi.config import AUDIT_DAYS
from losi.identity.principal import Principal
from losi.identity.values import iso, time_of
from losi.ids import random_id
from losi.observe.request import note
from losi.store.client import Item

ID_LENGTH = 10

#: Numbers the records of a process: two changes may happen at the same clock reading.
_numbers = count()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the current request comes from."""

    ip: str = ""
    request_id: str = ""


_NOWHERE = Origin()
#: The origin of the request in this context; empty on the command line.
origin: ContextVar[Origin] = ContextVar("origin", default=_NOWHERE)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change: a key or sign-in (its `caller`), or the operator, to whom no limit
    applies.
    """

    name: str
    caller: Principal | None = None

    @classmethod
    def of(cls, caller: Principal) -> "Actor":
        name = f"sess_{caller.session_id}" if caller.by_session else f"key_{caller.key_id}"
        return cls(name, caller)


OPERATOR = Actor("operator")


def note_caller(caller: Principal) -> None:
    """Note the caller's account in the request's log line."""
    note(account=f"acct_{caller.account_id}", by=Actor.of(caller).name, test=caller.test)


@dataclass(frozen=True, slots=True)
class Record:
    account_id: str
    actor: str
    #: For instance `key.created`.
    action: str
    #: Public id of the key or account.
    target: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    at: datetime
    ip: str = ""
    request_id: str = ""
    id: str = field(default_factory=lambda: _new_id())
    #: Days until it is deleted. Only known when it is written: not read back.
    kept_days: int = AUDIT_DAYS

    @property
    def sort(self) -> str:
        """Sort key: by time, and in order of creation within a process."""
        return f"{self.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}#{self.id}"

    def to_item(self) -> Item:
        return {
            "pk": {"S": partition(self.account_id)},
            "sk": {"S": self.sort},
            "actor": {"S": self.actor},
            "action": {"S": self.action},
            "target": {"S": self.target},
            "before": _to_map(self.before),
            "after": _to_map(self.after),
            "ip": {"S": self.ip},
            "request_id": {"S": self.request_id},
            "ttl": {"N": str(int((self.at + timedelta(self.kept_days)).timestamp()))},
        }

    @classmethod
    def from_item(cls, item: Item) -> "Record":
        time, _, id = item["sk"]["S"].partition("#")
        return cls(
            account_id=item["pk"]["S"].partition("#")[2],
            actor=item["actor"]["S"],
            action=item["action"]["S"],
            target=item["target"]["S"],
            before=_from_map(item["before"]),
            after=_from_map(item["after"]),
            at=time_of({"S": f"{time}+00:00"}),
            ip=item["ip"]["S"],
            request_id=item["request_id"]["S"],
            id=id,
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "id": f"audit_{self.id}",
            "at": iso(self.at),
            "actor": self.actor,
            "action": self.action,
            "target": self.target,
            "before": dict(self.before),
            "after": dict(self.after),
            "ip": self.ip or None,
            "request_id": self.request_id or None,
        }


def _new_id() -> str:
    return f"{next(_numbers) % 1_000_000:06}{random_id(ID_LENGTH)}"


def record(
    account_id: str,
    by: Actor,
    action: str,
    target: str,
    now: float,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    kept_days: int = AUDIT_DAYS,
) -> Record:
    """A record of what `by` does now. It keeps only those values of `before` and `after` that
    differ.
    """
    before, after = before or {}, after or {}
    differs = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    here = origin.get()
    return Record(
        account_id,
        by.name,
        action,
        target,
        {name: before[name] for name in differs if name in before},
        {name: after[name] for name in differs if name in after},
        datetime.fromtimestamp(now, UTC),
        here.ip,
        here.request_id,
        kept_days=kept_days,
    )


def partition(account_id: str) -> str:
    return f"AUDIT#{account_id}"


def _to_map(values: Mapping[str, Any]) -> Any:
    return {"M": {name: _attribute(value) for name, value in values.items()}}


def _attribute(value: Any) -> Any:
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, str):
        return {"S": value}
    return {"L": [_attribute(each) for each in value]}


def _from_map(attribute: Any) -> dict[str, Any]:
    return {name: _value(value) for name, value in attribute["M"].items()}


def _value(attribute: Any) -> Any:
    [(kind, value)] = attribute.items()
    if kind == "NULL":
        return None
    if kind == "L":
        return [_value(each) for each in value]
    return int(value) if kind == "N" else value
