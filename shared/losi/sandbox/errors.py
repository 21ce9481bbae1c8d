"""Every error that the API documents, for the directive `[[sandbox:error=...]]`.

None of them is retried or answered by another route: the caller asked for it.
"""

from collections.abc import Callable

from losi.errors import (
    AuthenticationError,
    InvalidRequestError,
    LosiError,
    ModelNotFoundError,
    ModelNotInPlanError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    Remedy,
    RequestTooLargeError,
    ServerError,
    StoreUnavailableError,
    UpstreamError,
)
from losi.upstream.format import incomplete, upstream_error

PROVIDER = "The sandbox"
_ASKED = "The sandbox gives this error because a directive in the last user message asks for it."


def directed_error(name: str, retry_after: float) -> LosiError:
    """The error with that name; `retry_after` (seconds) is for temporary ones."""
    return ERRORS[name](retry_after)


def broken_stream() -> UpstreamError:
    return incomplete(PROVIDER, remedy=Remedy.NOTHING)


def _upstream(status: int) -> Callable[[float], LosiError]:
    return lambda retry_after: upstream_error(
        status, PROVIDER, retry_after=retry_after, remedy=Remedy.NOTHING
    )


#: Documented statuses by number; those that several errors share by name.
ERRORS: dict[str, Callable[[float], LosiError]] = {
    "400": lambda _: InvalidRequestError(_ASKED, param="messages", code="invalid_value"),
    "401": lambda _: AuthenticationError(_ASKED),
    "403": lambda _: PermissionDeniedError(_ASKED),
    "404": lambda _: ModelNotFoundError(_ASKED, param="model"),
    "408": _upstream(408),
    "409": _upstream(409),
    "413": lambda _: RequestTooLargeError(_ASKED),
    "429": lambda retry_after: RateLimitError(_ASKED, retry_after=retry_after),
    "500": lambda _: ServerError(_ASKED),
    "502": _upstream(502),
    "503": _upstream(503),
    "504": _upstream(504),
    "529": _upstream(529),
    "key_expired": lambda _: AuthenticationError(_ASKED, code="key_expired"),
    "key_disabled": lambda _: AuthenticationError(_ASKED, code="key_disabled"),
    "model_not_in_plan": lambda _: ModelNotInPlanError(_ASKED, param="model"),
    "quota": lambda _: QuotaExceededError(_ASKED),
    "rate_limit": lambda retry_after: RateLimitError(_ASKED, retry_after=retry_after),
    "overloaded": _upstream(529),
    "timeout": _upstream(504),
    "store_unavailable": lambda _: StoreUnavailableError(_ASKED),
}
