"""What botocore raises, as our errors: every name that Bedrock documents, and what has none."""

import pytest
from botocore import exceptions as boto
from botocore.parsers import RestJSONParser
from botocore.session import Session
from urllib3.exceptions import IncompleteRead, ProtocolError
from urllib3.exceptions import TimeoutError as PoolTimeoutError

from losi.errors import InvalidRequestError, LosiError
from losi.upstream.bedrock.errors import translate_error
from tests.loose import Json


def refusal(code: str | None, message: str = "No.", **response: object) -> LosiError:
    answer: Json = {"Error": {"Code": code, "Message": message}, **response}
    return translated(boto.ClientError(answer, "ConverseStream"))


def translated(raised: Exception) -> LosiError:
    error = translate_error(raised)
    assert error is not None
    return error


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ThrottlingException", "upstream_rate_limited"),
        ("TooManyRequestsException", "upstream_rate_limited"),
        ("ServiceQuotaExceededException", "upstream_rate_limited"),
        ("ServiceUnavailableException", "upstream_overloaded"),
        ("ModelNotReadyException", "upstream_overloaded"),
        ("ModelTimeoutException", "upstream_timeout"),
        ("ModelErrorException", "upstream_error"),
        ("ModelStreamErrorException", "upstream_error"),
        ("InternalServerException", "upstream_error"),
        ("AccessDeniedException", "upstream_credentials"),
        ("UnrecognizedClientException", "upstream_credentials"),
        ("ExpiredTokenException", "upstream_credentials"),
        ("InvalidSignatureException", "upstream_credentials"),
        ("ResourceNotFoundException", "upstream_model_not_found"),
    ],
)
def test_a_name_says_more_than_the_status(name: str, code: str) -> None:
    """Exceptions within a stream have no status, and begin with a small letter."""
    in_stream = refusal(name[0].lower() + name[1:])
    over_http = refusal(name, ResponseMetadata={"HTTPStatusCode": 418})

    assert in_stream.code == over_http.code == code
    assert "status" not in in_stream.message or "status 500" in in_stream.message


def test_a_name_that_is_yet_to_come_is_known_by_its_status() -> None:
    assert refusal("NewException", ResponseMetadata={"HTTPStatusCode": 503}).code == (
        "upstream_overloaded"
    )
    assert refusal("NewException").code == refusal(None).code == "upstream_error"
    assert "status 500" in refusal("NewException").message
    assert refusal("NewException", ResponseMetadata={"HTTPStatusCode": 422}).status == 400


@pytest.mark.parametrize(
    ("words", "param"),
    [
        ("outputConfig is bad", "response_format"),
        ("text_format is bad", "response_format"),
        ("json_schema is bad", "response_format"),
        ("toolChoice is bad", "tool_choice"),
        ("toolConfig is bad", "tools"),
        ("tool_spec is bad", "tools"),
        ("inputSchema is bad", "tools"),
        ("tools.3.name is bad", "tools"),
        ("stopSequences are bad", "stop"),
        ("maxTokens is bad", "max_tokens"),
        ("more than the maximum tokens", "max_tokens"),
        ("topP is bad", "top_p"),
        ("temperature is bad", "temperature"),
        ("thinking is bad", "reasoning_effort"),
        ("effort is bad", "reasoning_effort"),
        ("the message is bad", "messages"),
        ("toolUse is bad", "messages"),
        ("the image is bad", "messages"),
        ("it is bad", None),
    ],
)
def test_the_callers_parameter_is_named(words: str, param: str | None) -> None:
    error = refusal("ValidationException", words)

    assert isinstance(error, InvalidRequestError)
    assert (error.param, error.message) == (param, words)


@pytest.mark.parametrize(
    "words",
    ["Input is too long", "the context window", "the context limit", "too many input tokens"],
)
def test_a_prompt_that_is_too_long_has_openais_code(words: str) -> None:
    error = refusal("ValidationException", words)
    assert (error.status, error.param, error.code) == (400, "messages", "context_length_exceeded")


@pytest.mark.parametrize(
    "words",
    [
        "The provided model identifier is invalid.",
        "Invocation with on-demand throughput isn't supported.",
        "This model ID is wrong.",
        "This model version has reached the end of its life.",
    ],
)
def test_the_routes_model_is_the_operators_choice(words: str) -> None:
    assert refusal("ValidationException", words).code == "upstream_model_not_found"


def test_words_are_short_and_name_no_account() -> None:
    long = refusal("ValidationException", "arn:aws:x:1:2 " + "x" * 2_000).message
    assert long == "(resource) " + "x" * 989
    assert refusal("ValidationException", "").message == "Bedrock refused the request as malformed."


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (boto.NoCredentialsError(), "upstream_credentials"),
        (boto.PartialCredentialsError(provider="p", cred_var="v"), "upstream_credentials"),
        (boto.CredentialRetrievalError(provider="p", error_msg="e"), "upstream_credentials"),
        (boto.NoRegionError(), "upstream_credentials"),
        (boto.ProfileNotFound(profile="p"), "upstream_credentials"),
        (boto.TokenRetrievalError(provider="p", error_msg="e"), "upstream_credentials"),
        (TimeoutError(), "upstream_timeout"),
        (PoolTimeoutError(), "upstream_timeout"),
        (boto.HTTPClientError(error=OSError()), "upstream_unavailable"),
        (boto.ConnectionError(error=OSError()), "upstream_unavailable"),
        (ConnectionResetError(), "upstream_unavailable"),
        (ProtocolError(), "upstream_incomplete"),
        (IncompleteRead(0, 1), "upstream_incomplete"),
        (boto.IncompleteReadError(actual_bytes=0, expected_bytes=1), "upstream_malformed"),
        (boto.EventStreamError({}, "ConverseStream"), "upstream_error"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_response_is_known_by_its_type(raised: Exception, code: str) -> None:
    assert translated(raised).code == code


def test_whatever_botocores_parser_raises_is_a_malformed_answer() -> None:
    shape = Session().get_service_model("bedrock-runtime").operation_model("Converse").output_shape
    assert shape is not None
    answer = {"status_code": 200, "headers": {}, "body": b"[]"}

    with pytest.raises(Exception, match="list") as raised:
        RestJSONParser().parse(answer, shape)

    assert isinstance(raised.value, AttributeError | TypeError)
    assert translated(raised.value).code == "upstream_malformed"


@pytest.mark.parametrize("bug", [KeyError("x"), TypeError("x"), AttributeError("x")], ids=repr)
def test_a_bug_of_ours_is_not_bedrocks(bug: Exception) -> None:
    assert translate_error(bug) is None
