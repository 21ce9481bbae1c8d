"""API keys as strings: mint, parse, hash. Pure; nothing here reads the store.

    losi-<account 10><key 8><secret 28><checksum 6>          base62, 57 characters in all
    losi-test-<...>                                          the same, reaches only the sandbox

The public part names the account and the key, so one read fetches both records; the checksum
refuses typing errors and made-up keys before any read; 28 base62 characters are 166 random bits.
"""

import hashlib
import hmac
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from losi.ids import ALPHABET, random_id

PREFIX = "losi-"
TEST_PREFIX = "losi-test-"
ACCOUNT_LENGTH, KEY_LENGTH, SECRET_LENGTH, CHECKSUM_LENGTH = 10, 8, 28, 6
_BODY_LENGTH = ACCOUNT_LENGTH + KEY_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH
_CHARACTERS = frozenset(ALPHABET)
#: The pattern for secret scanners (docs/recovery.md). Only the checksum distinguishes a key
#: from similar text.
PATTERN = r"\blosi-(?:test-)?[0-9A-Za-z]{52}\b"


@dataclass(frozen=True)
class Secret:
    """A well-formed key. Only the stored hash can show whether it is genuine."""

    account_id: str
    key_id: str
    secret: str
    test: bool = False

    def __repr__(self) -> str:  # a key that is printed or logged must not give itself away
        return f"Secret(key_{self.key_id})"

    @cached_property
    def text(self) -> str:
        head = TEST_PREFIX if self.test else PREFIX
        body = self.account_id + self.key_id + self.secret
        return head + body + _checksum(head + body)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the whole key."""
        return hashlib.sha256(self.text.encode()).digest()

    @property
    def hash(self) -> str:
        """SHA-256 of the secret, in hex. A slow hash is not needed: 166 random bits cannot be
        guessed.
        """
        return hashlib.sha256(self.secret.encode()).hexdigest()


def mint(account_id: str, key_id: str | None = None, *, test: bool = False) -> Secret:
    """A new key of the account; with `key_id`, a new secret of that key (rotation)."""
    return Secret(account_id, key_id or new_key_id(), random_id(SECRET_LENGTH), test)


def new_account_id() -> str:
    return random_id(ACCOUNT_LENGTH)


def new_key_id() -> str:
    return random_id(KEY_LENGTH)


def parse(text: str) -> Secret | None:
    """The key in `text`, or None if its form or checksum is wrong."""
    test = text.startswith(TEST_PREFIX)
    head = TEST_PREFIX if test else PREFIX
    body = text.removeprefix(head)
    if len(body) != _BODY_LENGTH or not text.startswith(head) or not _CHARACTERS.issuperset(body):
        return None
    public, checksum = body[:-CHECKSUM_LENGTH], body[-CHECKSUM_LENGTH:]
    if not hmac.compare_digest(_checksum(head + public), checksum):
        return None
    cut = ACCOUNT_LENGTH + KEY_LENGTH
    return Secret(public[:ACCOUNT_LENGTH], public[ACCOUNT_LENGTH:cut], public[cut:], test)


def found_in(text: str) -> Iterator[Secret]:
    """Every key that occurs in a text, each once."""
    for spelt in dict.fromkeys(re.findall(PATTERN, text)):
        if (key := parse(spelt)) is not None:
            yield key


def same_hash(stored: str, key: Secret) -> bool:
    return hmac.compare_digest(stored, key.hash)


def _checksum(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        digits = ALPHABET[number % 62] + digits
        number //= 62
    return digits
