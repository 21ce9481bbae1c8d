"""Which key a request's headers present."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from losi.errors import AuthenticationError
from losi.identity.secret import Secret
from losi.web.credentials import api_key

STRANGER = Secret("Account123", "Key45678", "0123456789abcdefghijklmnopqr")


def headers(*authorization: str) -> Headers:
    return Headers(
        raw=[(b"authorization", one.encode("utf-8", "replace")) for one in authorization]
    )


def test_the_key_of_the_authorization_header() -> None:
    assert api_key(headers(f"Bearer {STRANGER.text}")) == STRANGER


def test_schemes_have_no_case_and_blanks_no_meaning() -> None:
    assert api_key(headers(f" bearer   {STRANGER.text} ")) == STRANGER


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("", "did not provide an API key"),
        ("   ", "did not provide an API key"),
        ("Bearer", "no API key follows"),
        ("Bearer ", "no API key follows"),
        (f"{STRANGER.text}", "put 'Bearer ' in front"),
        (f"Basic {STRANGER.text}", "scheme must be Bearer"),
        (f"Bearer {STRANGER.text} {STRANGER.text}", "the API key alone"),
        (f"Bearer Bearer {STRANGER.text}", "the API key alone"),
        ("Bearer sk-proj-abcdef", "start with 'losi-'"),
        ("Bearer $OPENAI_API_KEY", "start with 'losi-'"),
        (f'Bearer "{STRANGER.text}"', "start with 'losi-'"),
        ("Bearer losi-your-api-key", "incomplete or mistyped"),
        (f"Bearer {STRANGER.text[:-1]}", "incomplete or mistyped"),
        (f"Bearer {STRANGER.text}x", "incomplete or mistyped"),
        ("Bearer losi-" + "ключ" * 13, "incomplete or mistyped"),
        ("Bearer losi-" + "\u0661" * 52, "incomplete or mistyped"),
        ("Bearer " + "x" * 1_000_000, "start with 'losi-'"),
    ],
)
def test_bad_headers_say_what_to_do(header: str, says: str) -> None:
    with pytest.raises(AuthenticationError, match=says) as caught:
        api_key(headers(header))

    assert caught.value.code == "invalid_api_key"
    assert caught.value.headers == {"www-authenticate": "Bearer"}
    assert STRANGER.secret not in caught.value.message


def test_no_header_is_told_how_to_send_one() -> None:
    with pytest.raises(AuthenticationError, match="did not provide an API key"):
        api_key(headers())


def test_two_headers_are_refused_whichever_is_good() -> None:
    with pytest.raises(AuthenticationError, match="more than once"):
        api_key(headers(f"Bearer {STRANGER.text}", "Bearer junk"))


@given(st.text())
def test_no_header_does_more_harm_than_a_401(header: str) -> None:
    with pytest.raises(AuthenticationError):
        api_key(headers(header))


@given(st.text())
def test_no_token_does_more_harm_than_a_401(token: str) -> None:
    with pytest.raises(AuthenticationError):
        api_key(headers(f"Bearer losi-{token}"))
