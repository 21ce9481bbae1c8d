"""Content codings of requests: those that API Gateway takes, on every server alike.

API Gateway inflates them itself, leaves the header as it was, and refuses all others with 415.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gzip-compression-decompression.html
"""

import zlib
from collections.abc import Sequence

from losi.errors import UnsupportedMediaError, echo

#: Coding -> what zlib calls its format: https://docs.python.org/3/library/zlib.html#zlib.decompress
_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class TooLongError(Exception):
    """A small body whose decoded size exceeds the limit."""


def coding_of(headers: Sequence[str]) -> str:
    """The coding in `Content-Encoding`, in lower case; "" for none. Raises UnsupportedMediaError
    (415).
    """
    named = [coding.strip().lower() for header in headers for coding in header.split(",")]
    codings = [coding for coding in named if coding not in ("", "identity")]
    if not codings:
        return ""
    if len(codings) > 1 or codings[0] not in _WINDOWS:
        raise UnsupportedMediaError(
            f"The content coding '{echo(', '.join(codings))}' is not supported. "
            "Send the body as it is, or with 'Content-Encoding: gzip' or 'deflate'."
        )
    return codings[0]


def decoded(body: bytes, coding: str, most: int) -> bytes:
    """The body without its coding. Raises TooLongError beyond `most` bytes, and
    UnsupportedMediaError (415), as API Gateway does, for a body that is not in that coding.
    """
    if not coding or _is_plain(body):
        return body
    inflater = zlib.decompressobj(_WINDOWS[coding])
    try:
        plain = inflater.decompress(body, most + 1)
    except zlib.error:
        plain = b""
    if len(plain) > most:
        raise TooLongError
    if not inflater.eof:
        raise UnsupportedMediaError(
            f"The body is not in the coding that 'Content-Encoding: {coding}' names. "
            "Leave the header out, or compress the body."
        )
    return plain


def _is_plain(body: bytes) -> bool:
    """Whether it was decoded on its way here: no coding begins like JSON."""
    return body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[", b"")
