"""Writes the lines of `make run`: whole to a file, in short to the terminal."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from losi.wire import JsonObject

#: Then the file becomes `requests.jsonl.1`, in place of the one before.
MOST_BYTES = 10_000_000


class RequestsFile:
    """Not `logging`'s rotating file, which asks the disk about the file at every line."""

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._most = most_bytes
        self._open()

    def __call__(self, line: JsonObject) -> None:
        text = orjson.dumps(line) + b"\n"
        if self._size and self._size + len(text) > self._most:
            self._file.close()
            with suppress(FileNotFoundError):  # it was deleted, or the next one could not be opened
                self._path.replace(f"{self._path}.1")
            self._open()
        self._size += self._file.write(text)

    def close(self) -> None:
        self._file.close()

    def _open(self) -> None:
        self._file = self._path.open("ab", buffering=0)
        self._size = self._file.tell()


def to_the_terminal(line: JsonObject) -> None:
    if "request_id" in line:  # some lines hold only metrics
        sys.stderr.write(f"INFO    {in_short(line)}\n")


def in_short(line: JsonObject) -> str:
    words = [line["request_id"], line["method"], line["endpoint"] or "-", line["status"] or "-"]
    words += [f"{line['duration_ms']} ms", line["account"] or "-"]
    words += [word for word in (line["model"], line["error"]) if word]
    return " ".join(map(str, words))
