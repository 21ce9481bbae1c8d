"""Who a request speaks for: the outcome of authentication, and what it may do."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from losi.errors import PermissionDeniedError

if TYPE_CHECKING:
    from losi.catalogue.plans import Plan

#: Everything a key can be allowed (the specification's "permissions that determine which API
#: endpoints it can access"), and what each one opens.
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
    """An authenticated key with its account's plan, as of the versions it was read at."""

    account_id: str
    key_id: str
    permissions: frozenset[str]
    plan: "Plan"
    #: A `losi-test-` key: reaches only the sandbox provider, is metered apart and never billed.
    test: bool
    key_version: int
    profile_version: int
    #: Epoch seconds, or None for a key that does not expire.
    key_expires_at: float | None = None
    #: Epoch seconds until which this very secret is good, as the records stood.
    good_until: float = float("inf")
    #: What providers know the account by: random, and the same for ever.
    tag: str = ""
    #: Signed in to the console, rather than calling with an API key.
    by_session: bool = False
    #: That session, and the key that opened it where it was not a person.
    session_id: str = ""
    session_key: str = ""

    def require(self, permission: str) -> None:
        """Raises PermissionDeniedError (403) naming the permission the key lacks."""
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
