"""Random ids in base62: of requests, completions, accounts, keys."""

import string
from secrets import token_bytes

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase

#: The letter of each byte. Those from 248 on are left out: they would favour the first letters.
_LETTERS = bytes(ord(ALPHABET[byte % 62]) for byte in range(256))
_UNEVEN = bytes(range(248, 256))


def random_id(length: int) -> str:
    """Random base62 characters from the operating system, which is safe after a SnapStart
    restore.
    """
    text = b""
    while len(text) < length:
        # 1.1 bytes a letter mostly need one system call
        text += token_bytes(length + length // 8 + 4).translate(_LETTERS, _UNEVEN)
    return text[:length].decode()
