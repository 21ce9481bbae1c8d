"""What a refusal means: the caller's request, the provider's state, or the operator's account."""

import pytest

from losi.errors import Remedy, UpstreamError
from losi.upstream.openai.refusal import refusal
from tests.loose import Json


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, {"code": "insufficient_quota", "type": "insufficient_quota", "message": "No."}),
        (429, {"type": "insufficient_quota", "message": "You exceeded your current quota."}),
        (429, {"code": "credit_balance_exhausted", "message": "No."}),
        (429, {"code": "billing_not_active", "message": "Your account is not active."}),
        (400, {"code": "billing_hard_limit_reached", "message": "Billing hard limit reached"}),
        (402, {"message": "Insufficient Balance", "code": "invalid_request_error"}),
        (402, {"message": "This request requires more credits", "code": 402}),
        (403, {"message": "Your account balance is in arrears"}),
        (400, {"code": "organization_restricted", "message": "Organization has been restricted."}),
        (
            400,
            {
                "message": "Your organization must be verified to stream this model.",
                "param": "stream",
                "code": "unsupported_value",
            },
        ),
        (404, {"message": "Your organization must be verified to use the model `gpt-5`."}),
    ],
)
def test_the_operators_account_is_no_fault_of_the_caller(status: int, error: Json) -> None:
    told = refusal("OpenAI", status, {"error": error}, {})

    assert isinstance(told, UpstreamError)
    assert (told.status, told.code, told.remedy) == (503, "upstream_account", Remedy.NEXT_ROUTE)
    assert told.headers == {"x-should-retry": "false"}
    assert error["message"] not in told.message


@pytest.mark.parametrize(
    "error",
    [
        {"code": "rate_limit_exceeded", "message": "Rate limit reached for gpt-4o."},
        {"message": "Too many requests"},
        {
            "code": 429,
            "status": "RESOURCE_EXHAUSTED",
            "message": "You exceeded your current quota, please check your plan and billing.",
        },
    ],
)
def test_a_rate_limit_passes(error: Json) -> None:
    told = refusal("OpenAI", 429, {"error": error}, {})

    assert (told.status, told.code) == (503, "upstream_rate_limited")


def test_a_provider_whose_billing_service_fails_has_failed_itself() -> None:
    told = refusal("OpenAI", 500, {"error": {"message": "The billing service failed."}}, {})

    assert told.code == "upstream_error"


def test_what_the_caller_can_mend_is_said_in_the_providers_words() -> None:
    error = {"message": "max_tokens is too large", "param": "max_tokens", "code": "invalid_value"}

    told = refusal("OpenAI", 400, {"error": error}, {})

    assert (told.status, told.param, told.message) == (400, "max_tokens", "max_tokens is too large")
