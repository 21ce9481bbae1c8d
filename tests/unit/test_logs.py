"""No line of a log holds a key, whoever writes it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from losi.logs import mask_keys, set_levels

KEY = "losi-test-0123456789abcdefghijKLMNOPQRST"


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    make, level = logging.getLogRecordFactory(), logging.getLogger("losi").level
    logging.setLogRecordFactory(logging.LogRecord)
    yield
    logging.setLogRecordFactory(make)
    logging.getLogger("losi").setLevel(level)


@pytest.mark.parametrize(
    ("said", "logged"),
    [
        (KEY, "losi-test-********"),
        (KEY.replace("test-", ""), "losi-********"),
        (f"GET /?key={KEY}&{KEY}", "GET /?key=losi-test-********&losi-test-********"),
        ("losi-" + "a" * 20, "losi-********"),
        ("losi-" + "a" * 19, "losi-" + "a" * 19),  # the public id of a key, and names
        ("nothing of ours", "nothing of ours"),
    ],
)
def test_keys_are_masked_in_text_and_arguments(
    said: str, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    mask_keys()
    logging.getLogger("any.library").warning(said)
    logging.getLogger("any.library").warning("%s: %d", said, 5)

    assert [record.getMessage() for record in caplog.records] == [logged, f"{logged}: 5"]


def test_arguments_that_do_not_fit_break_nothing() -> None:
    mask_keys()

    record = logging.getLogRecordFactory()("x", 30, "f", 1, "%d %s", ("a",), None)
    assert record.args == ("a",)


def test_masking_twice_is_masking_once() -> None:
    mask_keys()
    make = logging.getLogRecordFactory()
    mask_keys()

    assert logging.getLogRecordFactory() is make


def test_libraries_that_write_requests_are_silent_at_every_level() -> None:
    for level in ("DEBUG", "INFO", "ERROR"):
        set_levels(level)

        assert logging.getLevelName(logging.getLogger("losi").level) == level
        for library in ("boto3", "botocore", "httpcore", "httpx"):
            assert logging.getLogger(library).level == logging.WARNING
    with pytest.raises(ValueError, match="LOUD"):
        set_levels("LOUD")
