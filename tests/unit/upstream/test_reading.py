"""JSON of upstreams that no strict reader takes, and every SDK does."""

from typing import Any

import orjson
import pytest

from losi.upstream.reading import MOST_LEVELS, is_whole, loads


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b"\n\n  \t {} \n", {}),
        (b'{"logprob": -Infinity}', {"logprob": -9999.0}),
        (b'{"logprob": NaN}', {"logprob": None}),
        (b'{"logprob": Infinity}', {"logprob": None}),
        (
            b'{"id": 123456789012345678901234567890, "b": NaN}',
            {"id": 1.2345678901234568e29, "b": None},
        ),
        (b'["\\ud83d\\ude00"]', ["😀"]),
        (b'["\\ud83d"]', ["�"]),
        (b'["\xf0\x9f"]', ["�"]),
        (b'{"\\ud83d": "\\ude00"}', {"�": "�"}),
    ],
)
def test_what_is_read_can_be_written(text: bytes, value: Any) -> None:
    assert loads(text) == value
    assert orjson.dumps(loads(text))


@pytest.mark.parametrize("text", [b"[1, %b]", b"[NaN, %b]"], ids=["strict", "lenient"])
def test_what_is_nested_too_deeply_to_be_written_is_not_read(text: bytes) -> None:
    whole = text % (b"[" * (MOST_LEVELS - 1) + b"]" * (MOST_LEVELS - 1))
    deeper = text % (b'{"a":' * MOST_LEVELS + b"[1]" + b"}" * MOST_LEVELS)

    assert orjson.dumps([loads(whole)])
    with pytest.raises(ValueError, match="nested too deeply"):
        loads(deeper)


@pytest.mark.parametrize("text", [b"", b"{", b'{"a": ', b"ping", b"{'a': 1}", b'{"a": "'])
def test_what_no_sdk_reads(text: bytes) -> None:
    assert not is_whole(text)
    with pytest.raises(ValueError):
        loads(text)
