"""Random ids in base62: of requests, completions, accounts, keys."""

import string
from secrets import token_bytes

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase


def random_id(length: int) -> str:
    """Random base62 characters from the operating system, which is safe after a SnapStart
    restore.
    """
    text = ""
    while len(text) < length:
        # bytes from 248 on would favour the first letters; 1.1 bytes a letter mostly need one
        # system call
        data = token_bytes(length + length // 8 + 4)
        text += "".join(ALPHABET[byte % 62] for byte in data if byte < 248)
    return text[:length]
