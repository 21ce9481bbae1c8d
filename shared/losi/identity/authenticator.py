"""Turns an API key into a Principal: one read for a key that is new to this process, else none."""

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import anyio.to_thread

from losi.config import KEPT, Retention
from losi.errors import AuthenticationError, LosiError, PermissionDeniedError, support
from losi.identity.account import Account
from losi.identity.bursts import Bursts
from losi.identity.key import Key
from losi.identity.principal import Principal
from losi.identity.secret import Secret, same_hash
from losi.identity.session import Credential, Sessions, SessionToken, require_api_access
from losi.identity.throttle import Throttle
from losi.identity.values import DAY_SECONDS, iso
from losi.store.client import PROFILE, Item, key_sort
from losi.store.reads import Reads
from losi.store.table import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from losi.catalogue.plans import Plan

CACHE_SECONDS = 300
CACHE_SIZE = 1024
#: How long an unknown key is refused without a read, and how many are remembered. They have a cache
#: of their own, so that a flood of unknown keys cannot push good ones out.
UNKNOWN_SECONDS = 60
UNKNOWN_SIZE = 4096
UNKNOWN = "invalid_api_key"
#: Limit on reads of the store for keys that were never good in this process.
UNSEEN_PER_SECOND = 20
UNSEEN_BURST = 100
UNSEEN_MESSAGE = (
    "Too many requests with API keys that were not in use here lately. Try again in a second."
)


class Remembered:
    """Keys, each remembered until a time of its own; when full, the oldest are dropped first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, digest: bytes, until: float) -> None:
        with self._lock:
            self._until[digest] = until
            while len(self._until) > self._size:
                self._until.popitem(last=False)

    def holds(self, digest: bytes, now: float) -> bool:
        with self._lock:
            return self._until.get(digest, 0.0) > now


class Authenticator:
    """Safe to share between threads.

    A cached principal may be out of date. It carries versions, by which the ledger refuses it
    (`StaleAuthenticationError`). The ledger keeps them on the day's item, so no entry outlives the
    day.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        plans: Mapping[str, "Plan"],
        clock: Callable[[], float] = time.time,
        retention: Retention = KEPT,
    ) -> None:
        self._table = Table(client, table)
        self._plans = plans
        self._sessions = Sessions(client, table, plans, clock, retention.session_days)
        self._clock = clock
        #: SHA-256 of the presented key -> end of the entry, and its principal. An ended entry
        #: stays, to show that the key was good before.
        self._cache: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()
        self._lock = threading.Lock()
        self._unknown = Remembered(UNKNOWN_SIZE)
        self._unseen = Throttle(UNSEEN_PER_SECOND, UNSEEN_BURST, UNSEEN_MESSAGE, clock)
        self._bursts = Bursts(self._table, clock, retention.audit_days)

    def authenticate(self, key: Credential, *, fresh: bool = False) -> Principal:
        """The principal of a key or session.

        Raises AuthenticationError (401); PermissionDeniedError (403) if the account is disabled or
        has no API access; RateLimitError (429) if too many keys are new to this process. `fresh`
        reads a key's records even if they are cached; those of a session are always read.
        """
        if isinstance(key, SessionToken):
            signed_in = self._sessions.read(key)
            require_api_access(signed_in)
            return signed_in.principal
        if not fresh and (known := self.known(key)) is not None:
            return known
        self.may_read(key)
        return self.judge(key, self._table.get_all(key.account_id, (PROFILE, key_sort(key.key_id))))

    def known(self, key: Secret) -> Principal | None:
        """The cached principal of the key, or None. Does not read the store."""
        with self._lock:
            ends, principal = self._cache.get(key.digest, (0.0, None))
            if principal is None or self._clock() >= ends:
                return None
            self._cache.move_to_end(key.digest)
            return principal

    def judge(self, key: Secret, found: Mapping[str, Item]) -> Principal:
        """The principal of the key, judged by the account's records, just read (sort key -> item).

        Raises as `authenticate` does. Blocks when it writes a burst of refusals to the audit log.
        """
        profile, item = found.get(PROFILE), found.get(key_sort(key.key_id))
        account = None if profile is None else Account.from_item(profile)
        record = None if item is None else Key.from_item(item)
        digest, now = key.digest, self._clock()
        try:
            principal = verify(key, account, record, self._plans, now)
        except LosiError as error:
            self._forget(digest)
            if error.code == UNKNOWN:
                self._unknown.remember(digest, now + UNKNOWN_SECONDS)
            if record is not None:
                self._bursts.refused(key.account_id, key.key_id)
            raise
        midnight = (now // DAY_SECONDS + 1) * DAY_SECONDS
        ends = min(now + CACHE_SECONDS, midnight, principal.good_until)
        self._remember(digest, ends, principal)
        return principal

    def permit(self, principal: Principal, permission: str) -> None:
        """Raises PermissionDeniedError (403) that names the permission the key lacks."""
        try:
            principal.require(permission)
        except PermissionDeniedError:
            if principal.by_session:
                raise
            self._bursts.refused(principal.account_id, principal.key_id)
            raise

    def may_read(self, key: Secret) -> None:
        """Raise instead of reading the store: for a key that was unknown a moment ago (401), and
        for new keys beyond the limit (429).

        The checksum of a key is public, so every forged key can be a new one. Keys that were good
        here before are exempt: a flood must not shut them out.
        """
        digest = key.digest
        if self._unknown.holds(digest, self._clock()):
            raise _unknown_key()
        with self._lock:
            seen = digest in self._cache
        if not seen:
            self._unseen.take()

    def _remember(self, digest: bytes, ends: float, principal: Principal) -> None:
        with self._lock:
            self._cache[digest] = (ends, principal)
            self._cache.move_to_end(digest)
            while len(self._cache) > CACHE_SIZE:
                self._cache.popitem(last=False)

    def _forget(self, digest: bytes) -> None:
        """Drop the cached principal, but keep the entry: its owner may still ask why the key is
        refused.
        """
        with self._lock:
            if digest in self._cache:
                self._cache[digest] = (0.0, self._cache[digest][1])


class Callers:
    """The authenticator of metered requests, on one event loop: answers from the cache, or by one
    read.
    """

    def __init__(self, authenticator: Authenticator, reads: Reads) -> None:
        self._authenticator = authenticator
        self._reads = reads
        #: Reads in progress, by the text of the key: simultaneous requests with one key share a
        #: read.
        self._reading: dict[str, asyncio.Task[Principal]] = {}

    async def authenticate(self, credential: Credential, *, fresh: bool = False) -> Principal:
        """The principal. Raises what `Authenticator.authenticate` raises."""
        if isinstance(credential, SessionToken):  # a session of the console: read every time
            return await anyio.to_thread.run_sync(self._authenticator.authenticate, credential)
        if fresh:  # a read that began earlier may be outdated
            return await self._read(credential)
        if (known := self._authenticator.known(credential)) is not None:
            return known
        task = self._reading.get(credential.text)
        if task is None:
            task = self._reading[credential.text] = asyncio.create_task(self._read(credential))
            task.add_done_callback(lambda _: self._reading.pop(credential.text))
        return await asyncio.shield(task)

    async def permit(self, principal: Principal, permission: str) -> None:
        """Raises PermissionDeniedError (403) that names the permission the key lacks."""
        if permission not in principal.permissions:  # it may write a refusal down, which blocks
            await anyio.to_thread.run_sync(self._authenticator.permit, principal, permission)

    async def _read(self, key: Secret) -> Principal:
        self._authenticator.may_read(key)
        sorts = (PROFILE, key_sort(key.key_id))
        found = await self._reads.get_all(key.account_id, sorts)
        return await anyio.to_thread.run_sync(self._authenticator.judge, key, found)


def verify(
    key: Secret,
    account: Account | None,
    record: Key | None,
    plans: Mapping[str, "Plan"],
    now: float,
) -> Principal:
    """The principal of a genuine key that may be used now. Raises as `Authenticator.authenticate`
    does.

    Only a caller with the right secret learns why a key is refused.
    """
    if account is None or record is None or record.test != key.test:
        raise _unknown_key()
    ends = [record.expires_at]
    if not same_hash(record.hash, key):
        ends.append(_end_of_old_secret(record, key, now))
    _check_usable(account, record, now)
    return Principal(
        account_id=account.id,
        key_id=record.id,
        permissions=record.permissions,
        plan=account.plan(plans),
        test=record.test,
        key_version=record.version,
        profile_version=account.version,
        key_expires_at=record.expires_at.timestamp() if record.expires_at else None,
        good_until=min((end.timestamp() for end in ends if end), default=float("inf")),
        tag=account.tag,
    )


def _end_of_old_secret(record: Key, key: Secret, now: float) -> datetime:
    """When this secret, which a rotation replaced, ends. Raises AuthenticationError if it has
    ended.
    """
    for old_hash, until in record.old_hashes.items():
        if same_hash(old_hash, key):
            if now < until.timestamp():
                return until
            raise refused(
                "This API key was rotated, and its old secret has ended. Use the new secret.",
                code="key_expired",
            )
    raise _unknown_key()


def _check_usable(account: Account, record: Key, now: float) -> None:
    if not record.is_enabled:
        raise refused(
            "This API key is disabled. Enable it again, or use another key.", code="key_disabled"
        )
    if record.expires_at is not None and now >= record.expires_at.timestamp():
        raise refused(
            f"This API key expired at {iso(record.expires_at)}. Create a new key, or give this "
            "one a later expires_at.",
            code="key_expired",
        )
    if account.disabled:
        raise PermissionDeniedError(
            f"This account is disabled. Contact {support()}.", code="api_access_disabled"
        )
    if not account.api_access:
        raise PermissionDeniedError(
            "API access is switched off for this account. Switch it on in the profile settings.",
            code="api_access_disabled",
        )


def _unknown_key() -> AuthenticationError:
    return refused(
        "Invalid API key: it does not exist or was deleted. Check it, or create a new one."
    )


def refused(message: str, code: str | None = None) -> AuthenticationError:
    """An AuthenticationError (401) with the challenge header that HTTP requires."""
    return AuthenticationError(message, code=code, headers={"www-authenticate": "Bearer"})
