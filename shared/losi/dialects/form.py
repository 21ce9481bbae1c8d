"""How an answer is written: as server-sent events, or as one JSON object."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from losi.errors import LosiError


@dataclass(frozen=True, slots=True)
class Form:
    headers: Mapping[str, str]
    #: A text without meaning that may come between events, and after how many seconds of silence it
    #: is sent.
    heartbeat: bytes
    heartbeat_seconds: float
    #: Renders a failure after the answer has begun.
    error: Callable[[LosiError], bytes]
