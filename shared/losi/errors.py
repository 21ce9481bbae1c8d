"""Every refusal the API can give; dialects render them.

    LosiError
      InvalidRequestError      400  invalid_request_error     (also 404, 405, 413, 415 by subclass)
        ModelNotFoundError     404  invalid_request_error     model_not_found
        NotFoundError          404  invalid_request_error     not_found
        MethodNotAllowedError  405  invalid_request_error     method_not_allowed
        RequestTooLargeError   413  invalid_request_error     request_too_large
        UnsupportedMediaError  415  invalid_request_error     unsupported_media_type
      AuthenticationError      401  authentication_error      invalid_api_key, key_expired, ...
      PermissionDeniedError    403  permission_error          missing_permission, ...
      ModelNotInPlanError      403  insufficient_quota        model_not_in_plan
      RateLimitError           429  rate_limit_error          rate_limit_exceeded
      QuotaExceededError       429  insufficient_quota        quota_exceeded
      ServerError              500  server_error              internal_error
        StoreUnavailableError  503  server_error              store_unavailable
        MetricsUnavailableError  503  server_error            metrics_unavailable
        UpstreamError          502  server_error              upstream_*
          UpstreamUnavailableError  503, UpstreamTimeoutError  504

Types are the specification's ("Common error types"); codes are ours where it names none.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from enum import Enum, auto
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from losi.wire.chat import Completion, Usage

#: Of a name or value that a refusal repeats.
MOST_ECHOED = 200
#: No refusal of ours is longer; a provider's may be.
MOST_MESSAGE = 2_000
#: Where the operator offers help, an e-mail address or URL; an app sets it around each request.
support_address: ContextVar[str] = ContextVar("support_address", default="")


def echo(text: str) -> str:
    """Shorten a caller's text for a refusal, so that answers do not grow with requests."""
    return text if len(text) <= MOST_ECHOED else text[: MOST_ECHOED - 1] + "…"


def support() -> str:
    """Where a message tells people to get help: `support`, or `support at help@example.com`."""
    address = support_address.get()
    return f"support at {address}" if address else "support"


class LosiError(Exception):
    """Base of all refusals: carries what the HTTP response needs, nothing secret."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: str | None = None
    #: Message, param and code are a provider's own words: the caller's to read, and in no log.
    is_quoted = False

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        message = message if len(message) <= MOST_MESSAGE else message[: MOST_MESSAGE - 1] + "…"
        super().__init__(message)
        self.message = message
        self.param = None if param is None else echo(param)
        self.code = code or type(self).code
        self.headers: dict[str, str] = dict(headers or {})


class InvalidRequestError(LosiError):
    status = 400
    type = "invalid_request_error"


class ModelNotFoundError(InvalidRequestError):
    status = 404
    code = "model_not_found"


class NotFoundError(InvalidRequestError):
    status = 404
    code = "not_found"


class MethodNotAllowedError(InvalidRequestError):
    status = 405
    code = "method_not_allowed"


class RequestTooLargeError(InvalidRequestError):
    status = 413
    code = "request_too_large"


class UnsupportedMediaError(InvalidRequestError):
    status = 415
    code = "unsupported_media_type"


class AuthenticationError(LosiError):
    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class PermissionDeniedError(LosiError):
    status = 403
    type = "permission_error"
    code = "missing_permission"


class ModelNotInPlanError(LosiError):
    status = 403
    type = "insufficient_quota"
    code = "model_not_in_plan"


class RateLimitError(LosiError):
    """A temporary limit: SDKs wait `retry_after` seconds and try again."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, retry_after: float, code: str | None = None) -> None:
        super().__init__(message, code=code, headers=retry_headers(retry_after))
        self.retry_after = retry_after


class QuotaExceededError(LosiError):
    """The plan's quota is used up: SDKs must not retry, so a header forbids it."""

    status = 429
    type = "insufficient_quota"
    code = "quota_exceeded"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message, code=code, headers={"x-should-retry": "false"})


class ServerError(LosiError):
    code = "internal_error"


class StoreUnavailableError(ServerError):
    """DynamoDB did not answer. The request is refused, because nothing may pass unmetered."""

    status = 503
    code = "store_unavailable"

    def __init__(
        self,
        message: str = "The service cannot reach its database right now. Try again in a moment.",
    ) -> None:
        super().__init__(message, headers=retry_headers(1))


class StoreUnansweredError(StoreUnavailableError):
    """A write was not answered: it may have been applied, or may still be."""


class MetricsUnavailableError(ServerError):
    """CloudWatch did not answer, or refused. Operators see no figures; other requests work."""

    status = 503
    code = "metrics_unavailable"


class Remedy(Enum):
    """What may help after an upstream failed. Each but the last includes the next route."""

    SAME_ROUTE = auto()  # the same once more, after a pause
    ASK_AGAIN = auto()  # the same once more, at once, because the answer did not meet the request
    FRESH_CREDENTIALS = auto()  # the same once more, at once, with credentials read again
    NEXT_ROUTE = auto()
    NOTHING = auto()  # every route would fail too


class UpstreamError(ServerError):
    """The provider failed: its answer is unusable, or it refused for a reason the caller cannot
    change.
    """

    status = 502
    code = "upstream_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        remedy: Remedy = Remedy.SAME_ROUTE,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, code=code, headers=headers)
        self.remedy = remedy
        self.retry_after = retry_after
        #: Answers of other choices of `n`: they are billed.
        self.finished: list[Completion] = []
        #: The number of calls that were given up while the provider was still answering. They are
        #: billed by estimate, because otherwise large requests would be free.
        self.given_up = 0
        #: OpenAI's usage of an answer that cannot be delivered: recorded, but not billed.
        self.spent: Usage | None = None
        if retry_after is not None:
            self.headers.update(retry_headers(retry_after))


class UpstreamUnavailableError(UpstreamError):
    """Overloaded, rate limited or unreachable provider, or one without credentials."""

    status = 503
    code = "upstream_unavailable"


class UpstreamTimeoutError(UpstreamError):
    status = 504
    code = "upstream_timeout"


class StaleAuthenticationError(Exception):
    """The cached key or profile changed since it was read: authenticate again (never shown)."""


def place(error: BaseException) -> str:
    """Module and line where it was raised, for the log: its message may quote a prompt."""
    trace, found = error.__traceback__, "?"
    while trace is not None:
        found = f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


def retry_headers(seconds: float) -> dict[str, str]:
    """`Retry-After` (whole seconds, >= 1) and `retry-after-ms`, which SDKs prefer.

    Capped at 60 s: the Node SDK sleeps as long as the header says.
    """
    capped = min(max(seconds, 0.0), 60.0)
    return {
        "retry-after": str(max(1, -int(-capped // 1))),
        "retry-after-ms": str(max(1, round(capped * 1000))),
    }
