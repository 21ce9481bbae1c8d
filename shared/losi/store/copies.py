"""Writes the whole table to a file, and a file into a table.

Each line holds one item, as in DynamoDB's own exports to S3, so that those can be imported too:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

import gzip
import json
import os
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

from losi.store.client import Item
from losi.store.table import BATCH, Table


class CopyError(ValueError):
    """Says what is wrong with the file, and in which line."""


def write(items: Iterator[Item], path: Path) -> Iterator[int]:
    """Write the items; yields the number written so far. The file appears when it is complete.
    Other users cannot read it, because it holds names and e-mail addresses.
    """
    unfinished = path.with_name(f"{path.name}.part")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as raw, _writer(raw, path) as file:
        count = 0
        for count, item in enumerate(items, start=1):
            file.write(json.dumps({"Item": item}, separators=(",", ":")).encode() + b"\n")
            if count % 1000 == 0:
                yield count
    unfinished.rename(path)
    yield count


def read(path: Path) -> Iterator[Item]:
    """The items of a file. Raises CopyError, at the line that is wrong; OSError."""
    number = 0
    try:
        with gzip.open(path) if _is_compressed(path) else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                item = _item(line)
                if item is None:
                    raise CopyError(f"Line {number} of {path} holds no item of this table.")
                yield item
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise CopyError(
            f"Line {number + 1} of {path} cannot be read: the file is damaged."
        ) from None


def _item(line: bytes) -> Item | None:
    try:
        entry: Any = json.loads(line)
    except ValueError:
        return None
    match entry:
        case {"Item": {"pk": {"S": str()}, "sk": {"S": str()}}}:
            item: Item = entry["Item"]
            return item
    return None


def load(items: Iterator[Item], table: Table) -> Iterator[int]:
    """Write the items to the table; yields the number written so far."""
    done = 0
    while batch := list(islice(items, BATCH)):
        requests: list[Any] = [{"PutRequest": {"Item": item}} for item in batch]
        table.write_all(requests)
        done += len(batch)
        yield done


def _writer(raw: IO[bytes], path: Path) -> IO[bytes]:
    if not _is_compressed(path):
        return raw
    return gzip.GzipFile(fileobj=raw, mode="wb", filename="")  # type: ignore[return-value]


def _is_compressed(path: Path) -> bool:
    return path.suffix == ".gz"
