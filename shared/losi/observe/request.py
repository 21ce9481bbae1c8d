"""The log line of one request: a record that all code which handles the request fills in.

It contains ids, our own names, numbers and codes; nothing that a caller or provider wrote.
"""

import re
import time
from asyncio import CancelledError
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any

from losi import __version__
from losi.errors import InvalidRequestError, LosiError


class Event(StrEnum):
    """What is counted in addition to the requests themselves; the values are names of metrics."""

    LEDGER_RETRY = "losi.ledger.retries"
    STORE_THROTTLED = "losi.store.throttles"
    SETTLED_LATE = "losi.settlements.late"
    SETTLEMENT_QUEUED = "losi.settlements.queued"
    SETTLEMENT_LOST = "losi.settlements.lost"
    SETTLEMENT_BURIED = "losi.settlements.buried"
    HOLD_EXPIRED = "losi.holds.expired"
    ROUTE_SKIPPED = "losi.routes.skipped"
    #: In tokens: those missing from, or surplus in, the books of a past day.
    BOOKS_DRIFT = "losi.books.drift"
    CANARY_FAILED = "losi.canary.failures"


OK, REFUSED, CANCELLED = "ok", "refused", "cancelled"
#: Replaces a provider's own code.
PROVIDER_REFUSAL = "provider_refusal"


#: Families of clients. The first match decides, because SDKs also name what they are built on.
_CLIENTS = {
    "openai-python": r"OpenAI/Python",
    "openai-node": r"OpenAI/JS",
    "anthropic-python": r"Anthropic/Python",
    "anthropic-node": r"Anthropic/JS",
    "codex": r"^codex",
    "curl": r"^curl/",
    "python": r"python-requests|python-httpx|aiohttp|^Python",
    "node": r"^(node|undici|axios)",
    "go": r"^Go-http-client",
    "browser": r"^Mozilla/",
}
_CLIENT_PATTERNS = {family: re.compile(text, re.I) for family, text in _CLIENTS.items()}


@dataclass(slots=True)
class Attempt:
    """One call to a provider."""

    #: The provider and its name for the model, such as `openai/gpt-4o`.
    route: str
    #: `ok`, `refused` (the provider does not accept this request), `cancelled`, or the failure's
    #: code.
    outcome: str = OK
    #: Until the answer arrived, or the stream's first content.
    ms: int = 0
    #: What a failed attempt cost, as far as known: the operator pays it.
    input_tokens: int | None = None
    output_tokens: int | None = None

    @property
    def is_failure(self) -> bool:
        """Whether the provider failed."""
        return self.outcome not in (OK, REFUSED, CANCELLED)


@dataclass(slots=True)
class RequestLine:
    """All fields are in every line; those that do not apply are null. docs/observability.md
    explains each field, and when it is null.
    """

    #: The answer's `x-request-id`; API Gateway's own id if there is one.
    request_id: str
    method: str
    #: A family of clients (`client_family`).
    user_agent: str
    trace_id: str | None = None
    cold_start: bool = False
    timestamp: str = ""
    level: str = "INFO"
    version: str = __version__
    endpoint: str | None = None
    account: str | None = None
    #: `key_...`, or `sess_...` for someone signed in to the console.
    by: str | None = None
    test: bool | None = None
    model: str | None = None
    status: int | None = None
    #: Type and code of our refusal or failure, also of a broken stream.
    error_type: str | None = None
    error: str | None = None
    #: The client left before the answer ended.
    client_gone: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    #: Whether a figure is our estimate, because the provider reported none.
    estimated: bool | None = None
    #: What the account is billed, at the catalogue's prices.
    micro_usd: int | None = None
    first_chunk_ms: int | None = None
    #: From the start of the first attempt to the end of the last, pauses included.
    upstream_ms: int | None = None
    #: The rest of the duration.
    overhead_ms: int = 0
    duration_ms: int = 0
    #: How often each Event occurred.
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def is_fault(self) -> bool:
        """Whether it failed by our or a provider's fault, before or after the first byte of its
        answer.
        """
        return self.error_type == "server_error"

    def as_json(self) -> dict[str, Any]:
        return dict(zip(FIELDS, _values(self), strict=True))


FIELDS = tuple(each.name for each in fields(RequestLine))
_values = attrgetter(*FIELDS)


def client_family(user_agent: str) -> str:
    """A family that stands in the line instead of the header, which is the caller's text."""
    if not user_agent:
        return "none"
    shown = user_agent[:200]
    found = (name for name, pattern in _CLIENT_PATTERNS.items() if pattern.search(shown))
    return next(found, "other")


class Watch:
    """Takes the times of a request while it runs."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._first_call: float | None = None
        self._answered: float | None = None

    def ask(self) -> None:
        if self._first_call is None:
            self._first_call = time.monotonic()

    def answered(self) -> None:
        self._answered = time.monotonic()

    def elapsed_ms(self) -> int:
        return _ms(time.monotonic() - self._began)

    def stop(self, line: RequestLine) -> None:
        line.timestamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        line.duration_ms = self.elapsed_ms()
        if self._first_call is not None and self._answered is not None:
            line.upstream_ms = _ms(self._answered - self._first_call)
        line.overhead_ms = line.duration_ms - (line.upstream_ms or 0)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


@dataclass(slots=True)
class Observed:
    line: RequestLine
    watch: Watch = field(default_factory=Watch)


#: The request in this context, and in the tasks it started.
_request: ContextVar[Observed | None] = ContextVar("request", default=None)
#: Where events are counted: in the request's counter, or a scheduled run's.
_counts: ContextVar[Counter[str] | None] = ContextVar("counts", default=None)


@contextmanager
def observed(line: RequestLine) -> Iterator[Observed]:
    """A context around a request: what is noted in it becomes part of the line, which is complete
    at its end.
    """
    found = Observed(line)
    tokens = _request.set(found), _counts.set(line.counts)
    try:
        yield found
    finally:
        _request.reset(tokens[0])
        _counts.reset(tokens[1])
        found.watch.stop(line)


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """A context around a scheduled run."""
    counts: Counter[str] = Counter()
    token = _counts.set(counts)
    try:
        yield counts
    finally:
        _counts.reset(token)


def count(event: Event, times: int = 1) -> None:
    """Count an event. Outside of requests and runs, as on the command line, nothing is counted."""
    if times and (counts := _counts.get()) is not None:
        counts[event.value] += times


def note(**values: Any) -> None:
    """Set fields of the request's line."""
    if (request := _request.get()) is not None:
        for name, value in values.items():
            setattr(request.line, name, value)


def failed(error: LosiError) -> None:
    note(error_type=error.type, error=_code(error))


def first_chunk() -> None:
    if (request := _request.get()) is not None:
        request.line.first_chunk_ms = request.watch.elapsed_ms()


def upstream_ended() -> None:
    """Note that a stream has ended: later than its attempt."""
    if (request := _request.get()) is not None:
        request.watch.answered()


@contextmanager
def attempt(route: str) -> Iterator[Attempt]:
    """A context around one call to a provider. An exception in it becomes the attempt's outcome."""
    made, began = Attempt(route), time.monotonic()
    request = _request.get()
    if request is not None:
        request.line.attempts.append(made)
        request.watch.ask()
    try:
        yield made
    except BaseException as error:
        made.outcome = _outcome(error)
        raise
    finally:
        made.ms = _ms(time.monotonic() - began)
        if request is not None:
            request.watch.answered()


def _outcome(error: BaseException) -> str:
    if isinstance(error, InvalidRequestError):
        return REFUSED
    if isinstance(error, LosiError):
        return _code(error)
    return CANCELLED if isinstance(error, CancelledError | GeneratorExit) else type(error).__name__


def _code(error: LosiError) -> str:
    return PROVIDER_REFUSAL if error.is_quoted else error.code or error.type
