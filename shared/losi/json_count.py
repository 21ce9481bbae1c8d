"""How many values a JSON text holds, counted before a parser turns each into an object.

Six megabytes of `{"":{}},` become a quarter of a gigabyte. Every value but the first follows a
comma, a bracket or a brace outside of strings, so counting those bounds the values from above.
"""

import re
from functools import cache

#: Up to the next of the three. The quantifiers are possessive: nothing is tried twice and nothing
#: kept, so the time grows with the text alone (0.02 s a megabyte) and the memory not at all.
_TO_THE_NEXT = rb'(?:(?:[^"{\[,]++|"(?:[^"\\]++|\\.)*+"?)*+[{\[,])'


def holds_more_values(text: bytes, limit: int) -> bool:
    """Whether the text, JSON or not, holds more than `limit` values."""
    if text.count(b",") + text.count(b"[") + text.count(b"{") <= limit:
        return False  # not even if those inside strings count
    return _more_than(limit).match(text) is not None


@cache
def _more_than(limit: int) -> re.Pattern[bytes]:
    return re.compile(_TO_THE_NEXT + b"{%d}+" % (limit + 1), re.DOTALL)
