"""API keys: what they look like, what is refused before any read, what never shows."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losi.identity.secret import SECRET_LENGTH, mint, new_account_id, parse, same_hash
from losi.ids import ALPHABET

base62 = st.text(ALPHABET, min_size=1)


@pytest.mark.parametrize("test", [False, True])
def test_a_minted_key_parses_to_itself(test: bool) -> None:
    key = mint(new_account_id(), test=test)

    assert parse(key.text) == key
    assert key.text.startswith("losi-test-" if test else "losi-")


def test_the_secret_holds_160_random_bits_or_more() -> None:
    assert len(ALPHABET) ** SECRET_LENGTH >= 2**160


def test_two_keys_of_an_account_share_only_the_account() -> None:
    one, other = mint("0123456789"), mint("0123456789")

    assert one.account_id == other.account_id
    assert {one.key_id, one.secret}.isdisjoint({other.key_id, other.secret})


@given(position=st.integers(min_value=5, max_value=56), new=st.sampled_from(ALPHABET))
def test_one_wrong_character_fails_the_checksum(position: int, new: str) -> None:
    text = mint("0123456789").text
    mistyped = text[:position] + new + text[position + 1 :]

    assert mistyped == text or parse(mistyped) is None


@given(st.text() | st.builds("losi-{}".format, base62) | st.builds("losi-test-{}".format, base62))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    assert parse(text) is None


def test_a_test_key_is_not_a_live_key_with_another_prefix() -> None:
    key = mint("0123456789", test=True)

    assert parse(key.text.replace("losi-test-", "losi-")) is None


def test_a_key_that_is_printed_does_not_show_its_secret() -> None:
    key = mint("0123456789")

    assert key.secret not in repr(key) + str(key) + f"{key}"


def test_the_hash_is_that_of_the_secret_alone() -> None:
    key = mint("0123456789")

    assert same_hash(key.hash, key)
    assert not same_hash(mint("0123456789").hash, key)
    assert set(key.hash) <= set(string.hexdigits) and len(key.hash) == 64
