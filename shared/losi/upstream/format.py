"""What every format implements, and how upstreams' refusals become ours.

The canonical form is OpenAI's chat completion JSON: request, response and chunk are plain dicts
that were validated at the edge, so that unknown fields pass through untouched.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeAlias

from typing_extensions import TypeVar

from losi.catalogue.models import Route
from losi.errors import (
    InvalidRequestError,
    LosiError,
    Remedy,
    RequestTooLargeError,
    UpstreamError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from losi.upstream.batch import Batch

if TYPE_CHECKING:
    from losi.wire import embeddings
    from losi.wire.chat import Completion, Request, Usage

#: The type of a request's body: a chat's by default.
B = TypeVar("B", default="Request")


@dataclass(frozen=True, slots=True)
class UpstreamCall(Generic[B]):
    """One request for one route.

    `body` is OpenAI's request with `model` set to the upstream's name for it and without
    `stream`, which the format sets as it needs, as it does what it reads of `stream_options`. Not
    to be mutated.
    """

    body: B
    route: Route
    request_id: str
    #: Tokens of text that the caller wants at most of each choice, where the limit in `body` is
    #: larger, as it has room to think in.
    most_text: int | None = None


class Exchange(Protocol):
    """A request in the upstream's own words, ready to be sent, any number of times.

    Both calls raise a LosiError when the upstream fails. `stream` yields OpenAI chunks as they
    arrive, those that come together as one batch; the last one with choices carries the
    finish_reason, and a chunk with `usage` comes at the end whenever the upstream reports it. A
    stream that ends without the upstream's own mark of the end raises `UpstreamError` with code
    `upstream_incomplete`: a truncated answer must never look complete.
    """

    @property
    def left_out(self) -> frozenset[str]:
        """Parameters not sent: the format has no place for them, or others exclude them."""

    @property
    def mapped(self) -> frozenset[str]:
        """Parameters expressed in another way, as the upstream does not accept them as they are."""

    async def complete(self) -> Completion: ...

    def stream(self) -> AsyncGenerator[Batch]: ...


#: Makes the exchange for a call: a format's `prepare`, or what is done around it.
Prepare: TypeAlias = Callable[[UpstreamCall], Exchange]


def finished(exchange: Exchange) -> list[Completion]:
    """Answers that are complete, in an exchange of which others are not."""
    found: list[Completion] = getattr(exchange, "finished", [])
    return found


class Around:
    """An exchange around another one that changes only its answers."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    @property
    def left_out(self) -> frozenset[str]:
        return self._exchange.left_out

    @property
    def mapped(self) -> frozenset[str]:
        return self._exchange.mapped

    @property
    def finished(self) -> list[Completion]:
        return finished(self._exchange)


class Format(Protocol):
    """Speaks one wire format to one provider."""

    def prepare(self, call: UpstreamCall) -> Exchange:
        """Translate a request, without I/O. Raises InvalidRequestError if the format cannot express
        it.
        """


class Embedder(Protocol):
    """Speaks one wire format for embeddings to one provider."""

    async def embed(self, call: UpstreamCall[embeddings.Request]) -> embeddings.Embeddings:
        """Return OpenAI's list of embeddings. Raises a LosiError when the upstream fails."""


class _Failure(NamedTuple):
    kind: type[UpstreamError]
    code: str | None
    words: str
    remedy: Remedy = Remedy.SAME_ROUTE


_CREDENTIALS = _Failure(
    UpstreamUnavailableError,
    "upstream_credentials",
    "This model is not available right now. The reason is in the operator's log.",
    Remedy.FRESH_CREDENTIALS,
)
#: Asking again helps nobody until the operator pays, or settles with the provider.
ACCOUNT = "upstream_account"
_ACCOUNT = _Failure(UpstreamUnavailableError, ACCOUNT, _CREDENTIALS.words, Remedy.NEXT_ROUTE)
_TOO_SLOW = _Failure(UpstreamTimeoutError, None, "{} took too long. Try again.")
_OVERLOADED = _Failure(
    UpstreamUnavailableError, "upstream_overloaded", "{} is overloaded. Try again in a moment."
)
#: Statuses that do not blame the caller's request.
_FAILURES = {
    401: _CREDENTIALS,
    402: _ACCOUNT,
    403: _CREDENTIALS,
    404: _Failure(
        UpstreamError,
        "upstream_model_not_found",
        "{} does not know the model.",
        Remedy.NEXT_ROUTE,
    ),
    408: _TOO_SLOW,
    409: _OVERLOADED,
    429: _Failure(
        UpstreamUnavailableError,
        "upstream_rate_limited",
        "{} is rate limiting this platform. Try again in a moment.",
    ),
    503: _OVERLOADED,
    504: _TOO_SLOW,
    529: _OVERLOADED,  # https://platform.claude.com/docs/en/api/errors
}


def upstream_error(
    status: int,
    provider: str,
    *,
    message: str | None = None,
    param: str | None = None,
    code: str | None = None,
    retry_after: float | None = None,
    remedy: Remedy | None = None,
) -> LosiError:
    """What a provider's HTTP refusal means for our caller, and what helps (unless `remedy` says).

    Only refusals of the caller's own request (400, 413, 422) carry the provider's words: those of
    401 and 403 speak of our credentials, and those of the rest of our account.
    """
    if status in (400, 422):
        message = message or f"{provider} refused the request as malformed."
        refusal = InvalidRequestError(message, param=param, code=code)
        refusal.is_quoted = True
        return refusal
    if status == 413:
        return RequestTooLargeError(message or f"The request is too large for {provider}.")
    failure = _FAILURES.get(status) or _Failure(
        UpstreamError,
        None,
        f"{{}} failed with status {status}. Try again.",
        Remedy.SAME_ROUTE if status >= 500 else Remedy.NOTHING,
    )
    return failure.kind(
        failure.words.format(provider),
        code=failure.code,
        remedy=remedy or failure.remedy,
        retry_after=retry_after,
        headers={"x-should-retry": "false"} if failure is _ACCOUNT else None,
    )


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """A provider's `retry-after-ms` or `retry-after` in seconds; None for dates and nonsense."""
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / scale
        except (KeyError, ValueError):
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    return None


def malformed(provider: str, spent: Usage | None = None) -> UpstreamError:
    """The upstream's answer is not in its own format. `spent` is the usage that it reported all the
    same, in OpenAI's form.
    """
    error = UpstreamError(
        f"{provider} answered something that is not a chat completion. Try again.",
        code="upstream_malformed",
    )
    error.spent = spent
    return error


def incomplete(
    provider: str, *, remedy: Remedy = Remedy.SAME_ROUTE, spent: Usage | None = None
) -> UpstreamError:
    """The upstream's stream ended before it said that it was done. `spent`: as in `malformed`."""
    error = UpstreamError(
        f"{provider} ended the stream before it was complete. Try again.",
        code="upstream_incomplete",
        remedy=remedy,
    )
    error.spent = spent
    return error
