"""The provider protocol, and how an upstream's refusals become ours.

The canonical form is OpenAI's chat completion JSON: request, response and chunk are plain dicts
that were validated at the edge, so that fields we do not know pass through untouched.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from losi.catalogue.models import Route
from losi.errors import (
    InvalidRequestError,
    LosiError,
    RequestTooLargeError,
    UpstreamError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class UpstreamCall:
    """One attempt on one route.

    `body` is OpenAI's request with `model` set to the upstream's name for it and without
    `stream` and `stream_options`, which the provider sets as it needs. Not to be mutated.
    """

    body: Json
    route: Route
    request_id: str
    #: Filled by the provider: parameters it left out because others in this request exclude them.
    left_out: set[str] = field(default_factory=set)


class Format(Protocol):
    """Answers chat completions. Both calls raise a LosiError when the upstream fails.

    `stream` yields OpenAI chunks as they arrive; the last one with choices carries the
    finish_reason, and a chunk with `usage` comes at the end whenever the upstream tells it.
    An upstream that ends without its own end-of-stream mark raises `UpstreamError` with code
    `upstream_incomplete`: a truncated answer must never look whole.
    """

    #: Whether the upstream takes `n` > 1 itself; otherwise the caller asks n times.
    native_n: bool

    async def complete(self, call: UpstreamCall) -> Json: ...

    def stream(self, call: UpstreamCall) -> AsyncGenerator[Json]: ...


def upstream_error(
    status: int,
    provider: str,
    *,
    message: str | None = None,
    param: str | None = None,
    code: str | None = None,
    retry_after: float | None = None,
) -> LosiError:
    """What a provider's HTTP refusal means for our caller.

    Only refusals of the caller's own request (400, 413, 422) carry the provider's words: those of
    401 and 403 speak of our credentials, and those of the rest of our account.
    """
    if status in (400, 422):
        return InvalidRequestError(
            message or f"{provider} refused the request as malformed.", param=param, code=code
        )
    if status == 413:
        return RequestTooLargeError(message or f"The request is too large for {provider}.")
    if status in (401, 403):
        return UpstreamUnavailableError(
            "This model is not available right now. The operator has been told why.",
            code="upstream_credentials",
        )
    if status == 404:
        return UpstreamError(
            f"{provider} does not know the model.", code="upstream_model_not_found"
        )
    if status in (408, 504):
        return UpstreamTimeoutError(
            f"{provider} took too long. Try again.", retry_after=retry_after
        )
    if status == 429:
        return UpstreamUnavailableError(
            f"{provider} is rate limiting this platform. Try again in a moment.",
            code="upstream_rate_limited",
            retry_after=retry_after,
        )
    if status in (409, 503, 529):
        return UpstreamUnavailableError(
            f"{provider} is overloaded. Try again in a moment.",
            code="upstream_overloaded",
            retry_after=retry_after,
        )
    return UpstreamError(
        f"{provider} failed with status {status}. Try again.", retryable=status >= 500
    )


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """A provider's `retry-after-ms` or `retry-after` in seconds; dates and nonsense give None."""
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / scale
        except (KeyError, ValueError):
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    return None


def malformed(provider: str) -> UpstreamError:
    """The upstream answered with something that is not its own format."""
    return UpstreamError(
        f"{provider} answered something that is not a chat completion. Try again.",
        code="upstream_malformed",
    )


def incomplete(provider: str) -> UpstreamError:
    """The upstream's stream ended before it said that it was done."""
    return UpstreamError(
        f"{provider} ended the stream before it was complete. Try again.",
        code="upstream_incomplete",
    )
