"""What one key may do to another.

A key grants no more than it has: to create, change or rotate a key, a caller needs every permission
of that key, before and after, and the key may not outlive the caller's own. Test keys manage only
test keys. Deleting a key needs its permissions too: otherwise anyone with a leaked key could lock
out the account's owner.
"""

from datetime import datetime
from typing import Protocol

from losi.errors import PermissionDeniedError
from losi.identity.principal import PERMISSIONS, Principal


class _Key(Protocol):
    """A key as stored, or as it is to be stored."""

    @property
    def permissions(self) -> frozenset[str]: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def test(self) -> bool: ...


def check_authority(caller: Principal, key: _Key) -> None:
    """Raises PermissionDeniedError if the key has, or would have, more rights than the caller's
    own.
    """
    check_kind(caller, key)
    if lacking := _names(key.permissions - caller.permissions):
        raise PermissionDeniedError(
            f"This API key does not have {lacking} itself, so it may not give that to a "
            "key, or change or rotate a key that has it. Use a key with these permissions.",
            param="permissions",
        )
    ends = caller.key_expires_at
    if ends is not None and (key.expires_at is None or key.expires_at.timestamp() > ends):
        raise PermissionDeniedError(
            "This API key expires, so it may not make, change or rotate a key that lasts longer. "
            "Choose an earlier expires_at, or use a key that does not expire.",
            param="expires_at",
            code="expires_too_late",
        )


def check_deletion(caller: Principal, key: _Key) -> None:
    """Raises PermissionDeniedError if the key has a permission that the caller's lacks."""
    check_kind(caller, key)
    if lacking := _names(key.permissions - caller.permissions):
        raise PermissionDeniedError(
            f"This API key does not have {lacking} itself, so it may not delete a key that has it. "
            "A key with all permissions of that key can, and so can the operator of this service.",
            param="id",
        )


def visible(caller: Principal, key: _Key) -> bool:
    """Whether the caller sees the key: test keys see only test keys."""
    return key.test or not caller.test


def check_kind(caller: Principal, key: _Key) -> None:
    if caller.test and not key.test:
        raise PermissionDeniedError(
            "A test key (losi-test-...) may create, change and delete test keys only. "
            "Use a live key.",
            code="live_key_required",
        )


def _names(permissions: frozenset[str]) -> str:
    """The permissions in the documentation's order; those a later version added come last."""
    ordered = [name for name in PERMISSIONS if name in permissions]
    return ", ".join(f"'{name}'" for name in [*ordered, *sorted(permissions - set(ordered))])
