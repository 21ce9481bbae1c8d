"""How an answer is written on the wire: as events, or as one JSON object."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from losi.errors import LosiError


@dataclass(frozen=True, slots=True)
class Form:
    headers: Mapping[str, str]
    #: Means nothing and may come between events; sent after so many seconds of silence.
    heartbeat: bytes
    heartbeat_seconds: float
    #: How a failure is written once the answer has begun.
    error: Callable[[LosiError], bytes]
