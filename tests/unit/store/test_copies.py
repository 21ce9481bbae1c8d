"""A copy of the table is a file of items, whole or not there, that only its owner reads."""

import gzip
import json
from pathlib import Path
from typing import Any, cast

import pytest

from losi.store.client import Item
from losi.store.copies import CopyError, load, read, write
from losi.store.table import Table

ITEMS: list[Item] = [{"pk": {"S": "a"}, "sk": {"S": str(number)}} for number in range(3)]
LINE = json.dumps({"Item": ITEMS[0]})


@pytest.mark.parametrize("name", ["copy.json", "copy.json.gz"])
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / name

    assert list(write(iter(ITEMS), path)) == [3]

    assert list(read(path)) == ITEMS
    assert path.stat().st_mode & 0o777 == 0o600
    assert [other.name for other in tmp_path.iterdir()] == [name]


def test_a_copy_is_a_line_an_item_as_exports_to_s3_are(tmp_path: Path) -> None:
    path = tmp_path / "copy.json.gz"
    list(write(iter(ITEMS[:2]), path))

    assert gzip.decompress(path.read_bytes()) == (
        b'{"Item":{"pk":{"S":"a"},"sk":{"S":"0"}}}\n{"Item":{"pk":{"S":"a"},"sk":{"S":"1"}}}\n'
    )


def test_a_copy_that_is_not_whole_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "copy.json"
    writing = write(iter(ITEMS * 400), path)

    assert next(writing) == 1000
    assert not path.exists()
    assert list(writing) == [1200]
    assert path.exists()


def test_an_empty_table_makes_an_empty_copy(tmp_path: Path) -> None:
    assert list(write(iter(()), tmp_path / "copy.json")) == [0]
    assert list(read(tmp_path / "copy.json")) == []


KEY: Any = ITEMS[0]


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "\ud800",
        "[]",
        "5",
        "null",
        "{}",
        '{"Item": []}',
        *(
            json.dumps({"Item": item})
            for item in (
                {"pk": KEY["pk"]},
                {"sk": KEY["sk"]},
                {**KEY, "pk": {"S": 1}},
                {**KEY, "sk": {"S": 1}},
                {**KEY, "pk": {"N": "1"}},
                {**KEY, "sk": "0"},
            )
        ),
    ],
)
def test_what_is_no_item_is_refused_at_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "copy.json"
    path.write_bytes(f"{LINE}\n{line}\n{LINE}".encode(errors="surrogatepass"))
    items = read(path)

    assert next(items) == ITEMS[0]
    with pytest.raises(CopyError) as caught:
        next(items)
    assert str(caught.value) == f"Line 2 of {path} holds no item of this table."


WHOLE = gzip.compress(LINE.encode())


@pytest.mark.parametrize(
    "damaged",
    [
        WHOLE[:5],
        WHOLE[:-12],
        WHOLE[:12] + bytes(20) + WHOLE[32:],
        WHOLE[:-5] + b"?" + WHOLE[-4:],
        LINE.encode(),
    ],
    ids=["cut off at once", "cut off", "other bytes", "another checksum", "no compressed file"],
)
def test_a_compressed_copy_that_is_damaged_is_refused(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "copy.json.gz"
    path.write_bytes(damaged)

    with pytest.raises(CopyError) as caught:
        list(read(path))
    assert str(caught.value) == f"Line 1 of {path} cannot be read: the file is damaged."


class Written:
    """Takes at most 25 requests at once, as BatchWriteItem does:
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
    """

    def __init__(self) -> None:
        self.items: list[Any] = []

    def write_all(self, requests: list[Any]) -> None:
        assert 0 < len(requests) <= 25
        self.items += [request["PutRequest"]["Item"] for request in requests]


def test_a_copy_is_loaded_in_batches() -> None:
    written = Written()

    assert list(load(iter(ITEMS * 10), cast("Table", written))) == [25, 30]
    assert written.items == ITEMS * 10
