"""The rules for values of accounts and keys, and the formats of times and ids."""

import unicodedata
from datetime import UTC, datetime, timedelta

from losi.identity.principal import PERMISSIONS
from losi.ids import ALPHABET

NAME_LENGTH = 100
MINUTE_SECONDS, DAY_SECONDS = 60, 86_400
# Refused in addition to control characters: line separators, and marks that change a text's
# direction and so can make one name look like another.
_REFUSED_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
_DIRECTION_MARKS = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class InvalidValueError(ValueError):
    """A value breaks a rule; the message names the rule, in words for the caller."""


def valid_name(name: str) -> str:
    name = name.strip(" ")
    if not name.strip():
        raise InvalidValueError(
            "Invalid value for 'name': it is empty. Write at least one character."
        )
    if len(name) > NAME_LENGTH:
        raise InvalidValueError(
            f"Invalid value for 'name': it has {len(name)} characters. "
            f"Shorten it to {NAME_LENGTH} or fewer."
        )
    if any(
        unicodedata.category(character) in _REFUSED_CATEGORIES or character in _DIRECTION_MARKS
        for character in name
    ):
        raise InvalidValueError(
            "Invalid value for 'name': it holds a control character, such as a line break. "
            "Remove it."
        )
    return name


def valid_permission(name: str) -> str:
    if name not in PERMISSIONS:
        shown = f"'{name}'" if len(name) <= NAME_LENGTH and name.isprintable() else "this one"
        raise InvalidValueError(
            f"Unknown permission: {shown} does not exist. Choose from: {', '.join(PERMISSIONS)}."
        )
    return name


def valid_expiry(text: str, now: float) -> datetime:
    """The expiry in UTC, in whole seconds, of an ISO 8601 time with a time zone. Raises
    InvalidValueError unless it is in the future.
    """
    example = iso(datetime.fromtimestamp(now, UTC) + timedelta(days=90))
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise InvalidValueError(
                "Invalid value for 'expires_at': it has no time zone. "
                f"Write for example {example}, where Z stands for UTC."
            )
        time = time.astimezone(UTC).replace(microsecond=0)
    except InvalidValueError:
        raise
    except (ValueError, OverflowError):  # OverflowError: UTC conversion passed the year 9999
        raise InvalidValueError(
            f"Invalid value for 'expires_at': it is not an ISO 8601 time such as {example}."
        ) from None
    if time.timestamp() <= now:
        raise InvalidValueError(
            f"Invalid value for 'expires_at': {iso(time)} is in the past. Choose a later time, "
            "or disable or delete the key to stop it now."
        )
    return time


def iso(time: datetime) -> str:
    """A time in the specification's format: `2023-06-01T12:00:00Z`."""
    return time.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def public_id(text: str, prefix: str, length: int) -> str | None:
    characters = text.removeprefix(prefix)
    well_formed = text.startswith(prefix) and len(characters) == length
    return characters if well_formed and set(characters) <= set(ALPHABET) else None


def time_of(attribute: dict[str, str]) -> datetime:
    return datetime.fromisoformat(attribute["S"])


def optional_time(attribute: dict[str, str] | None) -> datetime | None:
    return None if attribute is None else time_of(attribute)
