"""Translates botocore's exceptions into our errors. Pure, except that it imports botocore on first
use.
"""

import re
from traceback import walk_tb
from typing import Any

from losi.errors import (
    InvalidRequestError,
    LosiError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from losi.upstream.format import incomplete, malformed, upstream_error

PROVIDER = "Bedrock"

#: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors
#: By name, because 424 and Bedrock's 429 for a model that still loads have misleading statuses.
_STATUS = {
    "ThrottlingException": 429,
    "TooManyRequestsException": 429,
    "ServiceQuotaExceededException": 429,
    "ServiceUnavailableException": 503,
    "ModelNotReadyException": 503,
    "ModelTimeoutException": 408,
    "ModelErrorException": 500,
    "ModelStreamErrorException": 500,
    "InternalServerException": 500,
    "ValidationException": 400,
    "AccessDeniedException": 403,
    "UnrecognizedClientException": 403,
    "ExpiredTokenException": 403,
    "InvalidSignatureException": 403,
    "ResourceNotFoundException": 404,
}
#: A ValidationException about the route's model, which is the operator's choice, not the caller's.
_WRONG_MODEL = re.compile(r"model identifier|on-demand throughput|model ID|end of its life", re.I)
_TOO_LONG = re.compile(r"too long|context (window|length|limit)|too many (input )?tokens", re.I)
#: ARNs contain the platform's account number.
_ARN = re.compile(r"arn:aws\S*")
#: Parameter -> pattern of Bedrock's messages about it. The first match counts.
_PARAMS = {
    "response_format": "output_?config|text_?format|json_?schema",
    "tool_choice": "tool_?choice",
    "tools": r"tool_?config|tool_?spec|input_?schema|\btools\.\d",
    "stop": "stop_?sequence",
    "max_tokens": "max_?tokens|maximum tokens",
    "top_p": r"top_?p\b",
    "temperature": "temperature",
    "reasoning_effort": "thinking|reasoning|effort",
    "messages": "message|content|image|document|conversation|tool_?use|tool_?result",
}


def translate_error(error: Exception) -> LosiError | None:
    """Translate an exception of a call of boto3, or of reading its event stream.

    Returns None if it was raised outside botocore: then it is a bug of ours, not Bedrock's fault.
    """
    from botocore import exceptions as boto
    from urllib3.exceptions import HTTPError
    from urllib3.exceptions import TimeoutError as PoolTimeoutError

    if isinstance(error, boto.ClientError):  # also exception events within a stream
        return _refusal(error.response)
    if isinstance(error, boto.ParamValidationError):
        return InvalidRequestError(f"This model does not take the request. {error}", param=None)
    if isinstance(error, _no_credentials()):
        return upstream_error(401, PROVIDER)
    if isinstance(error, boto.ReadTimeoutError | TimeoutError | PoolTimeoutError):
        return UpstreamTimeoutError(f"{PROVIDER} took too long. Try again.")
    if isinstance(error, boto.HTTPClientError | boto.ConnectionError | OSError):
        return UpstreamUnavailableError(f"{PROVIDER} cannot be reached right now. Try again.")
    if isinstance(error, HTTPError):  # a stream that was cut off; botocore wraps all other failures
        return incomplete(PROVIDER)
    # botocore's parsers raise KeyError, TypeError and others on bodies that are no answer
    if isinstance(error, boto.BotoCoreError) or _was_raised_in_botocore(error):
        return malformed(PROVIDER)
    return None


def _was_raised_in_botocore(error: Exception) -> bool:
    modules = (frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__))
    return any(name.startswith("botocore.") for name in modules)


def _no_credentials() -> tuple[type[Exception], ...]:
    from botocore import exceptions as boto

    return (
        boto.NoCredentialsError,
        boto.PartialCredentialsError,
        boto.CredentialRetrievalError,
        boto.NoRegionError,
        boto.ProfileNotFound,
        boto.TokenRetrievalError,
    )


def _refusal(response: Any) -> LosiError:
    details = response.get("Error") or {}
    code = str(details.get("Code") or "")
    code = code[:1].upper() + code[1:]  # streams write throttlingException
    words = _ARN.sub("(resource)", str(details.get("Message") or ""))[:1000]
    status = _STATUS.get(code) or response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 500
    if status in (400, 422):
        if _WRONG_MODEL.search(words):
            return upstream_error(404, PROVIDER)
        if _TOO_LONG.search(words):
            return InvalidRequestError(words, param="messages", code="context_length_exceeded")
    return upstream_error(status, PROVIDER, message=words or None, param=_param(words))


def _param(words: str) -> str | None:
    return next(
        (param for param, pattern in _PARAMS.items() if re.search(pattern, words, re.I)), None
    )
