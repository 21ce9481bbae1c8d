"""Random ids in base62: of requests, completions, accounts, keys."""

import secrets
import string

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase


def random_id(length: int) -> str:
    """Random base62 characters from the operating system (safe after a SnapStart restore)."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
