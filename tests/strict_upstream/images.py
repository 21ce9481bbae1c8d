"""Images as vendors look at them: by their bytes, not by what they are called."""

import base64
import binascii
import re
import struct

_DATA_URI = re.compile(r"data:(image/[\w.+-]+)?(?:;[^,]*)?;base64,(.*)", re.DOTALL)
_MAGIC = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}


def decoded(data: str) -> bytes | None:
    try:
        return base64.b64decode(data, validate=True) or None
    except (binascii.Error, ValueError):
        return None


def from_uri(uri: str) -> bytes | None:
    match = _DATA_URI.fullmatch(uri)
    return decoded(match[2]) if match else None


def media_type(image: bytes) -> str | None:
    """What the bytes are; None for what no vendor takes."""
    return next((kind for magic, kind in _MAGIC.items() if image.startswith(magic)), None)


def size(image: bytes) -> tuple[int, int]:
    """Width and height of a PNG; of anything else a small square."""
    if not image.startswith(b"\x89PNG") or len(image) < 24:
        return 1, 1
    width, height = struct.unpack(">II", image[16:24])
    return width, height
