"""What a provider's refusal or failure becomes: who is blamed, what is said, what may help."""

import pytest

from losi.errors import (
    InvalidRequestError,
    LosiError,
    Remedy,
    RequestTooLargeError,
    UpstreamError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from losi.upstream.format import incomplete, malformed, retry_after_seconds, upstream_error
from tests.loose import Json

BUSY, FAILED, SLOW = UpstreamUnavailableError, UpstreamError, UpstreamTimeoutError


@pytest.mark.parametrize(
    ("status", "kind", "code", "remedy"),
    [
        (401, BUSY, "upstream_credentials", Remedy.FRESH_CREDENTIALS),
        (402, BUSY, "upstream_account", Remedy.NEXT_ROUTE),
        (403, BUSY, "upstream_credentials", Remedy.FRESH_CREDENTIALS),
        (404, FAILED, "upstream_model_not_found", Remedy.NEXT_ROUTE),
        (405, FAILED, "upstream_error", Remedy.NOTHING),
        (408, SLOW, "upstream_timeout", Remedy.SAME_ROUTE),
        (409, BUSY, "upstream_overloaded", Remedy.SAME_ROUTE),
        (410, FAILED, "upstream_error", Remedy.NOTHING),
        (429, BUSY, "upstream_rate_limited", Remedy.SAME_ROUTE),
        (430, FAILED, "upstream_error", Remedy.NOTHING),
        (499, FAILED, "upstream_error", Remedy.NOTHING),
        (500, FAILED, "upstream_error", Remedy.SAME_ROUTE),
        (503, BUSY, "upstream_overloaded", Remedy.SAME_ROUTE),
        (504, SLOW, "upstream_timeout", Remedy.SAME_ROUTE),
        (505, FAILED, "upstream_error", Remedy.SAME_ROUTE),
        (529, BUSY, "upstream_overloaded", Remedy.SAME_ROUTE),
        (530, FAILED, "upstream_error", Remedy.SAME_ROUTE),
    ],
)
def test_a_providers_own_trouble(
    status: int, kind: type[UpstreamError], code: str, remedy: Remedy
) -> None:
    error = upstream_error(status, "Acme", message="of our account", retry_after=7)

    assert isinstance(error, UpstreamError)
    assert (type(error), error.code, error.remedy) == (kind, code, remedy)
    assert error.retry_after == 7
    assert "of our account" not in error.message
    # whoever has no credit today has none in a second: SDKs are not to try
    assert error.headers.get("x-should-retry") == ("false" if status == 402 else None)


def test_a_caller_of_it_may_know_better_what_helps() -> None:
    error = upstream_error(503, "Acme", remedy=Remedy.NOTHING)

    assert isinstance(error, UpstreamError) and error.remedy is Remedy.NOTHING


@pytest.mark.parametrize("status", [400, 422])
def test_what_the_caller_can_mend_is_quoted(status: int) -> None:
    error = upstream_error(status, "Acme", message="Too hot.", param="temperature", code="hot")
    silent = upstream_error(status, "Acme")

    assert type(error) is type(silent) is InvalidRequestError
    assert (error.message, error.param, error.code) == ("Too hot.", "temperature", "hot")
    assert error.is_quoted
    assert silent.message == "Acme refused the request as malformed."


def test_a_request_that_is_too_large_for_the_provider_is_too_large() -> None:
    error, silent = upstream_error(413, "Acme", message="5 MB."), upstream_error(413, "Acme")

    assert type(error) is type(silent) is RequestTooLargeError
    assert (error.message, silent.message) == ("5 MB.", "The request is too large for Acme.")


@pytest.mark.parametrize("status", [423, 414, 418])
def test_other_refusals_are_not_blamed_on_the_caller(status: int) -> None:
    error = upstream_error(status, "Acme", message="of our account")

    assert error.message == f"Acme failed with status {status}. Try again."
    assert error.status == 502


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "2500"}, 2.5),
        ({"retry-after-ms": "2500", "retry-after": "7"}, 2.5),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after-ms": "-1", "retry-after": "7"}, 7.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({}, None),
    ],
)
def test_the_pause_that_a_provider_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    """https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Retry-After"""
    assert retry_after_seconds(headers) == seconds


def test_an_answer_that_is_none_and_a_stream_that_broke_off_keep_what_they_cost() -> None:
    spent: Json = {"prompt_tokens": 1}
    broken, cut = malformed("Acme", spent), incomplete("Acme", spent=spent)

    assert (broken.code, broken.remedy) == ("upstream_malformed", Remedy.SAME_ROUTE)
    assert (cut.code, cut.remedy) == ("upstream_incomplete", Remedy.SAME_ROUTE)
    assert broken.spent == cut.spent == spent
    assert malformed("Acme").spent is incomplete("Acme").spent is None
    assert incomplete("Acme", remedy=Remedy.NEXT_ROUTE).remedy is Remedy.NEXT_ROUTE
    assert all(isinstance(error, LosiError) and error.status == 502 for error in (broken, cut))
