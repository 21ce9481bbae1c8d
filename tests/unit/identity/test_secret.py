"""API keys: what they look like, what is refused before any read, what never shows."""

import re
import string
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losi.identity.secret import (
    PATTERN,
    SECRET_LENGTH,
    found_in,
    mint,
    new_account_id,
    parse,
    same_hash,
)
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


class TestThePatternForScanners:
    def test_it_is_the_one_that_is_published(self) -> None:
        page = Path(__file__).parents[3] / "docs" / "recovery.md"

        assert f"```\n{PATTERN}\n```" in page.read_text()

    @pytest.mark.parametrize(
        "around", ["{}", 'api_key = "{}"', "Authorization: Bearer {}\n", "https://x/?key={}&a=b"]
    )
    @pytest.mark.parametrize("test", [False, True])
    def test_it_finds_a_key_wherever_it_stands(self, around: str, test: bool) -> None:
        for _ in range(20):
            key = mint(new_account_id(), test=test)
            text = around.format(key.text)

            assert [match[0] for match in re.finditer(PATTERN, text)] == [key.text]
            assert list(found_in(text)) == [key]

    @pytest.mark.parametrize(
        "near",
        [
            lambda key: key[:-1],
            lambda key: key + "0",
            lambda key: key.replace("losi-", "losi_"),
            lambda key: key.replace("losi-", "Losi-"),
            lambda key: key[:20] + "-" + key[21:],
            lambda key: key.replace("losi-", "losi-live-"),
            lambda key: key.replace("losi-", "sk-"),
        ],
    )
    def test_what_is_nearly_a_key_it_does_not(self, near: Callable[[str], str]) -> None:
        assert not re.search(PATTERN, near(mint(new_account_id()).text))

    def test_what_only_looks_like_one_has_no_checksum(self) -> None:
        text = "losi-" + "0" * 52

        assert re.fullmatch(PATTERN, text)
        assert list(found_in(text)) == []

    def test_one_that_stands_there_twice_is_found_once(self) -> None:
        key = mint(new_account_id())

        assert list(found_in(f"{key.text} {key.text}")) == [key]
