"""Random ids: their letters, and what they cost."""

import os

import pytest

from losi.ids import ALPHABET, random_id


@pytest.mark.parametrize("length", [1, 16, 24, 200])
def test_an_id_has_its_length_and_letters_of_base62(length: int) -> None:
    text = random_id(length)

    assert len(text) == length
    assert set(text) <= set(ALPHABET)


def test_every_letter_is_as_likely() -> None:
    text = random_id(62_000)

    assert all(800 < text.count(letter) < 1_200 for letter in ALPHABET)


def test_an_id_takes_one_system_call_mostly(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    urandom = os.urandom

    def counted(size: int) -> bytes:
        calls.append(size)
        return urandom(size)

    monkeypatch.setattr("losi.ids.token_bytes", counted)
    for _ in range(100):
        random_id(24)

    assert len(calls) < 110
    assert max(calls) <= 32  # bytes for 24 letters
