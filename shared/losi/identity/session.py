"""A person's sign-in: an opaque token in a cookie, and its hash in the account's partition.

    <account 10><session 8><secret 43>          base62; 43 characters are 256 random bits

The public part names the records, so that one round trip reads all of them. Nothing is cached: a
session that was ended, or whose account was disabled, fails on its next request. Both time limits
are checked when the session is read; the table's time to live only removes old items.
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from losi.config import SESSION_DAYS
from losi.errors import AuthenticationError, PermissionDeniedError, support
from losi.identity.account import Account
from losi.identity.key import Key
from losi.identity.principal import PERMISSIONS, Principal
from losi.identity.secret import ACCOUNT_LENGTH, Secret
from losi.identity.values import iso, public_id, time_of
from losi.ids import ALPHABET, random_id
from losi.store.client import PROFILE, Item, key_sort, primary_key
from losi.store.table import EXISTS, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from losi.catalogue.plans import Plan

IDLE = timedelta(hours=12)
#: The longest age of a sign-in that may do what cannot be undone, or what operators do.
FRESH = timedelta(minutes=15)
#: The last use is written at most this often, so that most pages cost no write.
NOTED_EVERY = timedelta(minutes=5)

SESSION_LENGTH, SECRET_LENGTH = 8, 43
DEVICE_LENGTH = 200
#: The name of the playground in usage. It is longer than any key id.
PLAYGROUND = "playground"

_CHARACTERS = frozenset(ALPHABET)


@dataclass(frozen=True, slots=True)
class SessionToken:
    """A well-formed token. Only the stored hash can show whether it is genuine."""

    account_id: str
    session_id: str
    secret: str = field(repr=False)

    @property
    def text(self) -> str:
        return self.account_id + self.session_id + self.secret

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.secret.encode()).hexdigest()

    @classmethod
    def parse(cls, text: str) -> "SessionToken | None":
        cut = ACCOUNT_LENGTH + SESSION_LENGTH
        if len(text) != cut + SECRET_LENGTH or not _CHARACTERS.issuperset(text):
            return None
        return cls(text[:ACCOUNT_LENGTH], text[ACCOUNT_LENGTH:cut], text[cut:])


#: What a request authenticates with.
Credential = Secret | SessionToken


@dataclass(frozen=True, slots=True)
class Session:
    id: str
    account_id: str
    hash: str = field(repr=False)
    created_at: datetime
    seen_at: datetime
    #: The user agent as sent, shortened; the console turns it into words.
    device: str
    #: The API key that signed in; the session ends with it. None: a person signed in.
    key_id: str | None = None
    #: A session ends after this many days, even if it is used.
    longest_days: int = SESSION_DAYS

    @classmethod
    def from_item(cls, item: Item, longest_days: int = SESSION_DAYS) -> "Session":
        return cls(
            id=item["sk"]["S"].partition("#")[2],
            account_id=item["pk"]["S"].partition("#")[2],
            hash=item["hash"]["S"],
            created_at=time_of(item["created_at"]),
            seen_at=time_of(item["seen_at"]),
            device=item["device"]["S"],
            key_id=item["key"]["S"] if "key" in item else None,
            longest_days=longest_days,
        )

    def to_item(self) -> Item:
        item = {
            **primary_key(self.account_id, session_sort(self.id)),
            "hash": {"S": self.hash},
            "created_at": {"S": iso(self.created_at)},
            "seen_at": {"S": iso(self.seen_at)},
            "device": {"S": self.device},
            "ttl": {"N": str(int(self.ends_at.timestamp()))},
        }
        return {**item, "key": {"S": self.key_id}} if self.key_id else item

    @property
    def ends_at(self) -> datetime:
        return self.created_at + timedelta(self.longest_days)

    def is_over(self, now: datetime) -> bool:
        return now >= self.seen_at + IDLE or now >= self.ends_at

    def is_fresh(self, now: datetime) -> bool:
        return now < self.created_at + FRESH

    def as_json(self, current: "Session | None" = None) -> dict[str, Any]:
        return {
            "id": f"sess_{self.id}",
            "device": self.device,
            "created_at": iso(self.created_at),
            "last_seen_at": iso(self.seen_at),
            "api_key": f"key_{self.key_id}" if self.key_id else None,
            "current": current is not None and self.id == current.id,
        }


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is signed in, according to records just read."""

    session: Session
    account: Account
    principal: Principal

    @property
    def is_person(self) -> bool:
        """Whether the account's owner signed in, rather than the holder of one of its keys."""
        return self.session.key_id is None


class Sessions:
    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        plans: Mapping[str, "Plan"],
        clock: Callable[[], float] = time.time,
        longest_days: int = SESSION_DAYS,
    ) -> None:
        self._table = Table(client, table)
        self._plans = plans
        self._clock = clock
        self._longest_days = longest_days

    def open(self, account_id: str, device: str, key_id: str | None = None) -> SessionToken:
        """Start a session of the account, or of one of its keys. Each gets a new token."""
        token = SessionToken(account_id, random_id(SESSION_LENGTH), random_id(SECRET_LENGTH))
        now = self.now()
        session = Session(
            token.session_id,
            account_id,
            token.hash,
            now,
            now,
            device[:DEVICE_LENGTH],
            key_id,
            self._longest_days,
        )
        self._table.put(session.to_item())
        return token

    def read(self, token: SessionToken) -> SignedIn:
        """The session and its account. Raises AuthenticationError (401, `session_expired`) if it is
        over, or its account is disabled.

        Accounts without API access can be signed in to: what they may not do is refused where it is
        done.
        """
        sort = session_sort(token.session_id)
        found = self._table.get_all(token.account_id, (PROFILE, sort))
        if sort not in found or PROFILE not in found:
            raise expired()
        session, account = (
            Session.from_item(found[sort], self._longest_days),
            Account.from_item(found[PROFILE]),
        )
        if not hmac.compare_digest(session.hash, token.hash) or session.is_over(self.now()):
            raise expired()
        if account.disabled:
            raise expired(f"This account is disabled, so you were signed out. Contact {support()}.")
        key = self._key(session) if session.key_id else None
        self._note_use(session)
        return SignedIn(
            session, account, _principal(session, account, account.plan(self._plans), key)
        )

    def of_account(self, account_id: str) -> list[Session]:
        """The account's sessions that are not over, last used first."""
        items = self._table.query(account_id, session_sort(""))
        now = self.now()
        found = (Session.from_item(item, self._longest_days) for item in items)
        going = (session for session in found if not session.is_over(now))
        return sorted(going, key=lambda session: session.seen_at, reverse=True)

    def end(self, account_id: str, session_id: str) -> None:
        """End a session: its token is refused once this returns. Ending it again is no error."""
        self._delete(account_id, [session_sort(session_id)])

    def end_all(self, account_id: str) -> None:
        items = self._table.query(account_id, session_sort(""))
        self._delete(account_id, [item["sk"]["S"] for item in items])

    def now(self) -> datetime:
        return datetime.fromtimestamp(int(self._clock()), UTC)

    def _key(self, session: Session) -> Key:
        """The key that signed in, as it is now. Raises AuthenticationError if it has ended."""
        sort = key_sort(session.key_id or "")
        found = self._table.get_all(session.account_id, [sort])
        key = Key.from_item(found[sort]) if sort in found else None
        if (
            key is None
            or not key.is_enabled
            or (key.expires_at is not None and key.expires_at <= self.now())
        ):
            raise expired("The API key that you signed in with has ended, and the session with it.")
        return key

    def _note_use(self, session: Session) -> None:
        now = self.now()
        if now - session.seen_at < NOTED_EVERY:
            return
        self._table.update(
            session.account_id,
            session_sort(session.id),
            {"seen_at": {"S": iso(now)}},
            condition=EXISTS,  # a session that is being ended must not be written again
        )

    def _delete(self, account_id: str, sorts: list[str]) -> None:
        keys = [primary_key(account_id, sort) for sort in sorts]
        self._table.write_all([{"DeleteRequest": {"Key": key}} for key in keys])


def _principal(session: Session, account: Account, plan: "Plan", key: Key | None) -> Principal:
    """A person has every permission that a key can have; a key's session has the key's."""
    return Principal(
        account_id=account.id,
        key_id=PLAYGROUND,
        permissions=frozenset(PERMISSIONS) if key is None else key.permissions,
        plan=plan,
        test=key is not None and key.test,
        # the playground is no key: its records were read just now, and no change marks its name
        key_version=key.version if key else 0,
        profile_version=account.version,
        key_expires_at=key.expires_at.timestamp() if key and key.expires_at else None,
        tag=account.tag,
        by_session=True,
        session_id=session.id,
        session_key=session.key_id or "",
    )


def require_api_access(signed_in: SignedIn) -> None:
    """Raises PermissionDeniedError (403) without API access: the playground then cannot do what
    keys cannot.
    """
    if not signed_in.account.api_access:
        raise PermissionDeniedError(
            "API access is switched off for this account. Switch it on in the profile settings.",
            code="api_access_disabled",
        )


def expired(why: str = "You are not signed in, or your session has ended.") -> AuthenticationError:
    return AuthenticationError(f"{why} Sign in again.", code="session_expired")


def usage_name(key_id: str) -> str:
    """A key's name in usage; the playground is no key, and keeps its own name."""
    return key_id if key_id == PLAYGROUND else f"key_{key_id}"


def session_sort(session_id: str) -> str:
    return f"SESSION#{session_id}"


def session_id_from(text: str) -> str | None:
    """`sess_<id>` without its prefix, or None if no session can have that id."""
    return public_id(text, "sess_", SESSION_LENGTH)
