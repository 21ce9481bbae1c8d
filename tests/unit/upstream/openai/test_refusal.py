"""What a refusal means: the caller's request, the provider's state, or the operator's account."""

import pytest

from losi.catalogue.providers import Provider
from losi.errors import Remedy, UpstreamError
from losi.upstream.openai.refusal import auth_headers, refusal
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


@pytest.mark.parametrize(
    "code",
    [
        "access_terminated",
        "account_deactivated",
        "billing_hard_limit_reached",
        "billing_not_active",
        "credit_balance_exhausted",
        "insufficient_balance",
        "insufficient_credits",
        "insufficient_quota",
        "insufficient_user_quota",
        "organization_restricted",
    ],
)
@pytest.mark.parametrize("name", ["code", "type"])
@pytest.mark.parametrize("status", [400, 402, 403, 404, 429])
def test_each_word_for_the_account_counts_wherever_it_stands(
    code: str, name: str, status: int
) -> None:
    told = refusal("OpenAI", status, {"error": {name: code.upper(), "message": "No."}}, {})
    assert told.code == "upstream_account"


@pytest.mark.parametrize("words", ["API key not valid.", "api key expired", "API key not found"])
def test_a_400_about_our_key_is_ours(words: str) -> None:
    """https://ai.google.dev/gemini-api/docs/troubleshooting"""
    assert refusal("Gemini", 400, {"error": {"message": words}}, {}).code == "upstream_credentials"
    assert refusal("Gemini", 413, {"error": {"message": words}}, {}).status == 413


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"status": 400}, 400),
        ({"status": "413"}, 413),
        ({"code": 413}, 413),
        ({"status": 399, "code": 413}, 413),
        ({"status": 600, "code": 413}, 413),
        ({"status": 599}, 502),
        ({"status": 200}, 502),
        ({"code": "rate_limit"}, 502),
        ("No.", 502),
        (None, 502),
    ],
)
@pytest.mark.parametrize("sent", [200, 399])
def test_an_error_that_was_sent_as_none_names_its_status(
    error: object, status: int, sent: int
) -> None:
    assert refusal("OpenAI", sent, {"error": error}, {}).status == status


@pytest.mark.parametrize("body", [None, {}, {"error": None}, {"error": []}, {"error": "No."}])
def test_a_refusal_in_any_form_is_one(body: Json | None) -> None:
    told = refusal("OpenAI", 400, body, {})
    words = "No." if body == {"error": "No."} else "OpenAI refused the request as malformed."
    assert (told.status, told.message, told.param) == (400, words, None)


def test_words_without_an_envelope_and_their_length() -> None:
    assert refusal("OpenAI", 400, {"message": "No.", "code": "c"}, {}).message == "No."
    long = refusal("OpenAI", 413, {"error": {"message": "x" * 1_001}}, {})
    assert long.message == "x" * 1_000
    busy = refusal("OpenAI", 429, {"error": {}}, {"retry-after": "3"})
    assert isinstance(busy, UpstreamError) and busy.retry_after == 3


@pytest.mark.parametrize(
    ("header", "key", "sent"),
    [
        ("authorization", "k", {"authorization": "Bearer k"}),
        ("api-key", "k", {"api-key": "k"}),
        ("authorization", "", {}),
    ],
)
def test_how_a_key_is_sent(header: str, key: str, sent: dict[str, str]) -> None:
    assert auth_headers(Provider.model_construct(key_header=header), key) == sent
