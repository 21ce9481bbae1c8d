"""An account as stored: one profile item of the table."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from losi.errors import ServerError, support
from losi.identity.secret import ACCOUNT_LENGTH
from losi.identity.values import iso, public_id, time_of
from losi.ids import random_id
from losi.store.client import PROFILE, Item, primary_key

if TYPE_CHECKING:
    from losi.catalogue.plans import Plan

TAG_LENGTH = 22


@dataclass(frozen=True, slots=True)
class Account:
    id: str
    plan_name: str
    name: str
    email: str
    created_at: datetime
    api_access: bool = True
    disabled: bool = False
    #: Whether its owner sees and changes all accounts in the console. Only a person who signed in
    #: can: no key carries this right.
    operator: bool = False
    #: Rises with every change that authentication must see. Starts at the time of creation, so that
    #: marks of an earlier record with the same id (the demo's) do not outdate a new one.
    version: int = 1
    key_count: int = 0
    #: The last day with changes of keys, and the numbers of changes then: by full keys, and by
    #: others.
    changed_on: str = ""
    changes_full: int = 0
    changes_other: int = 0
    #: The account's end-user id at providers. It reveals nothing about the account.
    tag: str = field(default_factory=lambda: random_id(TAG_LENGTH))

    @classmethod
    def from_item(cls, item: Item) -> "Account":
        id = item["pk"]["S"].partition("#")[2]
        return cls(
            id=id,
            plan_name=item["plan"]["S"],
            name=item["name"]["S"],
            email=item["email"]["S"],
            created_at=time_of(item["created_at"]),
            api_access=item["api_access"]["BOOL"],
            disabled=item["disabled"]["BOOL"],
            operator=item.get("operator", {"BOOL": False})["BOOL"],
            version=int(item["version"]["N"]),
            key_count=int(item["key_count"]["N"]),
            changed_on=item.get("changed_on", {"S": ""})["S"],
            changes_full=int(item.get("changes_full", {"N": "0"})["N"]),
            changes_other=int(item.get("changes_other", {"N": "0"})["N"]),
            tag=item["tag"]["S"] if "tag" in item else _tag_of_old(id),
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
            "operator": {"BOOL": self.operator},
            "version": {"N": str(self.version)},
            "key_count": {"N": str(self.key_count)},
            "changed_on": {"S": self.changed_on},
            "changes_full": {"N": str(self.changes_full)},
            "changes_other": {"N": str(self.changes_other)},
            # version 0.1 reads these
            "keys_made": {"N": "0"},
            "keys_made_on": {"S": ""},
            "tag": {"S": self.tag},
        }

    def plan(self, plans: Mapping[str, "Plan"]) -> "Plan":
        """Its plan. Raises ServerError if the plan no longer exists."""
        try:
            return plans[self.plan_name]
        except KeyError:
            raise ServerError(
                f"This account's plan '{self.plan_name}' does not exist any more. "
                f"Contact {support()}, so that the account is given another one."
            ) from None

    def audited(self) -> dict[str, Any]:
        """What the audit log stores of it: neither the name nor the e-mail address."""
        return {
            "plan": self.plan_name,
            "api_access": self.api_access,
            "disabled": self.disabled,
            "operator": self.operator,
        }

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


def _tag_of_old(account_id: str) -> str:
    """The tag of an account that version 0.1 made: derived from its id, so that it needs no
    write.
    """
    return hashlib.sha256(f"losi tag {account_id}".encode()).hexdigest()[:TAG_LENGTH]


def account_id_from(text: str) -> str | None:
    """`acct_<id>` without its prefix, or None if no account can have that id."""
    return public_id(text, "acct_", ACCOUNT_LENGTH)
