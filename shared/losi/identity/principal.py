"""The result of authentication: whose request it is, and what it may do."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from losi.errors import PermissionDeniedError

if TYPE_CHECKING:
    from losi.catalogue.plans import Plan

#: Every permission a key can have (the specification's "permissions that determine which API
#: endpoints it can access") -> what it allows.
PERMISSIONS = {
    "chat.completions": "create chat completions",
    "embeddings": "create embeddings",
    "models.list": "list the models",
    "api_keys.read": "list API keys",
    "api_keys.write": "create, change and delete API keys",
    "usage.read": "read usage statistics",
    "audit.read": "read the audit log",
}
ALL_PERMISSIONS = frozenset(PERMISSIONS)


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated key and its account's plan, with the versions of the records they were read
    from.
    """

    account_id: str
    key_id: str
    permissions: frozenset[str]
    plan: "Plan"
    #: A `losi-test-` key reaches only the sandbox, is metered separately and never billed.
    test: bool
    key_version: int
    profile_version: int
    #: Epoch seconds; None if the key does not expire.
    key_expires_at: float | None = None
    #: Epoch seconds until which the presented secret is good, according to the records.
    good_until: float = float("inf")
    #: The account's random, permanent id at providers.
    tag: str = ""
    #: Whether it signed in to the console, rather than calling with an API key.
    by_session: bool = False
    #: The session's id, and the id of the key that opened it; empty if a person did.
    session_id: str = ""
    session_key: str = ""

    def require(self, permission: str) -> None:
        """Raises PermissionDeniedError (403) that names the permission the key lacks."""
        if permission not in self.permissions:
            if self.by_session:
                raise PermissionDeniedError(
                    f"Your sign-in may not {PERMISSIONS[permission]}: it lacks the permission "
                    f"'{permission}'. Sign in another way, or with a key that has it."
                )
            raise PermissionDeniedError(
                f"This API key may not {PERMISSIONS[permission]}: it lacks the permission "
                f"'{permission}'. Use a key that has it, or add it to this key."
            )
