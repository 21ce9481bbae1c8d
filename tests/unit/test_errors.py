"""What each refusal is to a client: its status, type, code and headers."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from losi.errors import (
    AuthenticationError,
    InvalidRequestError,
    LosiError,
    MethodNotAllowedError,
    MetricsUnavailableError,
    ModelNotFoundError,
    ModelNotInPlanError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    Remedy,
    RequestTooLargeError,
    ServerError,
    StoreUnansweredError,
    StoreUnavailableError,
    UnsupportedMediaError,
    UpstreamError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
    echo,
    place,
    retry_headers,
    support,
    support_address,
)


@pytest.mark.parametrize(
    ("error", "status", "type", "code"),
    [
        (LosiError("?"), 500, "server_error", None),
        (InvalidRequestError("?"), 400, "invalid_request_error", None),
        (ModelNotFoundError("?"), 404, "invalid_request_error", "model_not_found"),
        (NotFoundError("?"), 404, "invalid_request_error", "not_found"),
        (MethodNotAllowedError("?"), 405, "invalid_request_error", "method_not_allowed"),
        (RequestTooLargeError("?"), 413, "invalid_request_error", "request_too_large"),
        (UnsupportedMediaError("?"), 415, "invalid_request_error", "unsupported_media_type"),
        (AuthenticationError("?"), 401, "authentication_error", "invalid_api_key"),
        (PermissionDeniedError("?"), 403, "permission_error", "missing_permission"),
        (ModelNotInPlanError("?"), 403, "insufficient_quota", "model_not_in_plan"),
        (RateLimitError("?", retry_after=1), 429, "rate_limit_error", "rate_limit_exceeded"),
        (QuotaExceededError("?"), 429, "insufficient_quota", "quota_exceeded"),
        (ServerError("?"), 500, "server_error", "internal_error"),
        (StoreUnavailableError(), 503, "server_error", "store_unavailable"),
        (StoreUnansweredError(), 503, "server_error", "store_unavailable"),
        (MetricsUnavailableError("?"), 503, "server_error", "metrics_unavailable"),
        (UpstreamError("?"), 502, "server_error", "upstream_error"),
        (UpstreamUnavailableError("?"), 503, "server_error", "upstream_unavailable"),
        (UpstreamTimeoutError("?"), 504, "server_error", "upstream_timeout"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, LosiError) else None,
)
def test_a_refusal_has_its_status_type_and_code(
    error: LosiError, status: int, type: str, code: str | None
) -> None:
    assert (error.status, error.type, error.code) == (status, type, code)
    assert error.param is None


def test_who_raises_it_may_say_more() -> None:
    error = InvalidRequestError("No.", param="a.b", code="no", headers={"allow": "GET"})

    assert (error.message, str(error), error.param, error.code) == ("No.", "No.", "a.b", "no")
    assert error.headers == {"allow": "GET"}
    for named in (
        RateLimitError("?", retry_after=1, code="no"),
        QuotaExceededError("?", code="no"),
        UpstreamError("?", code="no"),
    ):
        assert named.code == "no"


AFTER_2_S = {"retry-after": "2", "retry-after-ms": "2000"}


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (LosiError("?"), {}),
        (RateLimitError("?", retry_after=2), AFTER_2_S),
        (QuotaExceededError("?"), {"x-should-retry": "false"}),
        (StoreUnavailableError(), {"retry-after": "1", "retry-after-ms": "1000"}),
        (UpstreamError("?"), {}),
        (UpstreamError("?", retry_after=2), AFTER_2_S),
        (UpstreamError("?", headers={"x": "y"}, retry_after=2), {"x": "y", **AFTER_2_S}),
    ],
)
def test_headers_say_when_to_try_again(error: LosiError, headers: Mapping[str, str]) -> None:
    assert error.headers == headers


def test_an_upstream_s_failure_may_pass_and_bills_nothing_unless_it_says_so() -> None:
    error = UpstreamError("?")

    assert (error.remedy, error.retry_after) == (Remedy.SAME_ROUTE, None)
    assert (error.finished, error.given_up, error.spent) == ([], 0, None)


@pytest.mark.parametrize(
    ("seconds", "whole", "milliseconds"),
    [
        (-5, "1", "1"),
        (0, "1", "1"),
        (0.25, "1", "250"),
        (1, "1", "1000"),
        (1.0004, "2", "1000"),
        (2.5, "3", "2500"),
        (60, "60", "60000"),
        (3_600, "60", "60000"),
    ],
)
def test_no_wait_is_shorter_or_longer_than_clients_bear(
    seconds: float, whole: str, milliseconds: str
) -> None:
    assert retry_headers(seconds) == {"retry-after": whole, "retry-after-ms": milliseconds}


@pytest.mark.parametrize(
    ("length", "kept"), [(200, "x" * 200), (201, "x" * 199 + "…"), (10_000, "x" * 199 + "…")]
)
def test_what_a_caller_sent_is_repeated_up_to_a_length(length: int, kept: str) -> None:
    assert echo("x" * length) == kept
    assert LosiError("?", param="x" * length).param == kept


@pytest.mark.parametrize(("length", "kept"), [(2_000, "x" * 2_000), (2_001, "x" * 1_999 + "…")])
def test_no_message_grows_without_bound(length: int, kept: str) -> None:
    assert LosiError("x" * length).message == kept


def test_help_is_where_the_operator_offers_it() -> None:
    assert support() == "support"
    support_address.set("help@example.com")
    assert support() == "support at help@example.com"
    support_address.set("")


def test_the_place_of_a_failure_is_where_it_was_raised() -> None:
    def fails() -> None:
        raise ValueError("a prompt")

    with pytest.raises(ValueError, match="prompt") as caught:
        fails()

    line = fails.__code__.co_firstlineno + 1
    assert place(caught.value) == f"{__name__}:{line}"
    assert place(ValueError("never raised")) == "?"
