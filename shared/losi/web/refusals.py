"""Statuses of refusals in openapi.json: what each means, and an example that a test provokes."""

from dataclasses import dataclass

from losi.web.examples import UNKNOWN_KEY, Example, refused


@dataclass(frozen=True)
class Refusal:
    #: The phrase of RFC 9110; those of Python's `http` differ between its versions.
    name: str
    #: The codes in it are those of `error.code`.
    description: str
    example: Example


def _example(status: int, name: str, summary: str, message: str, type: str, code: str) -> Example:
    return Example(name, summary, refused(message, type, None, code), status=status)


def _by_the_sandbox(status: int, message: str, type: str, code: str) -> Example:
    summary = f"`[[sandbox:error={status}]]` in a message to the sandbox"
    return _example(status, "by_the_sandbox", summary, message, type, code)


_DIRECTED = "The sandbox gives this error because a directive in the last user message asks for it."
REFUSALS = {
    400: Refusal(
        "BadRequest",
        "A parameter is missing, unknown or wrong, or the body is not JSON; `param` names it.",
        _example(
            400,
            "invalid_json",
            "A body that ends too early",
            "The request body is not valid JSON: unexpected end of data at line 1 column 11. "
            "Send a JSON object, encoded as UTF-8.",
            "invalid_request_error",
            "invalid_json",
        ),
    ),
    401: Refusal(
        "Unauthorized",
        "No key, or not a good one: `invalid_api_key`, `key_expired`, `key_disabled`.",
        _example(
            401,
            "no_key",
            "A request without a key",
            "You did not provide an API key. Send it in the Authorization header: "
            "'Authorization: Bearer losi-...'.",
            "authentication_error",
            "invalid_api_key",
        ),
    ),
    403: Refusal(
        "Forbidden",
        "The key or the plan does not allow it: `missing_permission`, `model_not_in_plan`, "
        "`api_access_disabled` and others.",
        _example(
            403,
            "missing_permission",
            "A key without the permission",
            "This API key may not read usage statistics: it lacks the permission 'usage.read'. "
            "Use a key that has it, or add it to this key.",
            "permission_error",
            "missing_permission",
        ),
    ),
    404: Refusal("NotFound", "There is none of this id, or your account has none.", UNKNOWN_KEY),
    413: Refusal(
        "ContentTooLarge",
        "The body is too large: `request_too_large`.",
        _example(
            413,
            "too_large",
            "A body of more than 6 MB",
            "The request is larger than 6 MB; quotes, backslashes and line breaks in its body "
            "count twice. Shorten the conversation, or refer to images by URL instead of sending "
            "them inline.",
            "invalid_request_error",
            "request_too_large",
        ),
    ),
    415: Refusal(
        "UnsupportedMediaType",
        "The body is a form, or in a content coding other than gzip and deflate: "
        "`unsupported_media_type`.",
        _example(
            415,
            "form",
            "A multipart form",
            "Forms (multipart) are not taken. Send a JSON object with 'Content-Type: "
            "application/json'; images and files go inside of it, as data URIs.",
            "invalid_request_error",
            "unsupported_media_type",
        ),
    ),
    429: Refusal(
        "TooManyRequests",
        "A limit is reached. `rate_limit_error`: wait and try again. `insufficient_quota`: "
        "trying again does not help.",
        _by_the_sandbox(429, _DIRECTED, "rate_limit_error", "rate_limit_exceeded"),
    ),
    500: Refusal(
        "InternalServerError",
        "Our fault: `internal_error`.",
        _by_the_sandbox(500, _DIRECTED, "server_error", "internal_error"),
    ),
    502: Refusal(
        "BadGateway",
        "The provider, or the service, failed: `upstream_*`, `internal_error`.",
        _by_the_sandbox(
            502, "The sandbox failed with status 502. Try again.", "server_error", "upstream_error"
        ),
    ),
    503: Refusal(
        "ServiceUnavailable",
        "The provider or our database cannot be reached: `upstream_*`, `store_unavailable`.",
        _by_the_sandbox(
            503,
            "The sandbox is overloaded. Try again in a moment.",
            "server_error",
            "upstream_overloaded",
        ),
    ),
    504: Refusal(
        "GatewayTimeout",
        "It took too long: `upstream_timeout`, `deadline_exceeded`, `timeout`.",
        _by_the_sandbox(
            504, "The sandbox took too long. Try again.", "server_error", "upstream_timeout"
        ),
    ),
}
