import base64
import json
from typing import Any

import pytest

from losi.aws.runtime.response_stream import DELIMITER, chunk, error_trailers, prelude

MAX_TRAILER_BYTES = 4096  # of Lambda


def metadata(*headers: tuple[bytes, bytes], status: int = 200) -> dict[str, Any]:
    data = prelude(status, headers)
    assert data.endswith(DELIMITER)
    decoded: dict[str, Any] = json.loads(data.removesuffix(DELIMITER))
    return decoded


def test_prelude_holds_status_and_headers() -> None:
    assert metadata((b"X-A", b"\xe4"), status=404) == {"statusCode": 404, "headers": {"x-a": "ä"}}


def test_prelude_keeps_repeated_headers_and_cookies_apart() -> None:
    prelude = metadata((b"x-a", b"1"), (b"X-A", b"2"), (b"set-cookie", b"a=1; Secure"))

    assert prelude == {
        "statusCode": 200,
        "headers": {},
        "multiValueHeaders": {"x-a": ["1", "2"]},
        "cookies": ["a=1; Secure"],
    }


@pytest.mark.parametrize("name", [b"Content-Length", b"transfer-encoding", b"connection"])
def test_prelude_leaves_framing_to_the_gateway(name: bytes) -> None:
    assert metadata((name, b"1"))["headers"] == {}


def test_prelude_holds_no_delimiter_of_its_own() -> None:
    data = prelude(200, [(b"x-a", DELIMITER)])

    assert data.index(DELIMITER) == len(data) - len(DELIMITER)


def test_error_trailers_stay_small_whatever_the_error_says() -> None:
    trailers = error_trailers("E" * 10_000, "\N{GRINNING FACE}" * 10_000)

    assert len(trailers) < MAX_TRAILER_BYTES


def test_error_trailers_carry_type_and_message() -> None:
    first, second, rest = error_trailers("ValueError", "why").decode().split("\r\n")

    assert (first, rest) == ("Lambda-Runtime-Function-Error-Type: ValueError", "")
    name, _, value = second.partition(": ")
    assert name == "Lambda-Runtime-Function-Error-Body"
    error = json.loads(base64.b64decode(value))
    assert error == {"errorType": "ValueError", "errorMessage": "why"}


def test_chunk_is_framed_with_its_length_in_hexadecimal() -> None:
    assert chunk(b"x" * 17) == b"11\r\n" + b"x" * 17 + b"\r\n"
