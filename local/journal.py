"""Every write to the embedded DynamoDB as a line of JSON: data survive a restart and a kill.

A line holds all that one request changed, `[[pk, sk, item or null], ...]` with items in DynamoDB's
own JSON. A line is there whole or counts as not written, as its request was never answered.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Item = dict[str, Any]
#: A change of an item: its keys, and its new value, or None if it was deleted.
Change = tuple[str, str, Item | None]

#: Lines of changed items may take so much more than the items themselves, then the file is
#: written anew.
SPARE_BYTES = 64_000_000


class DamagedJournalError(Exception):
    """A line other than the last one cannot be read. The message says which one, and what to do."""


class Journal:
    """Opening it leaves one line for each item that is still there. Raises DamagedJournalError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._compact()

    def items(self) -> list[Item]:
        return list(_read(self._path).values())

    def append(self, changes: Sequence[Change]) -> None:
        """When it returns, the changes survive this process."""
        self._file.write(_line(changes))
        self._file.flush()
        if self._file.tell() > self._limit:
            self._file.close()
            self._compact()

    def close(self) -> None:
        self._file.close()

    def _compact(self) -> None:
        aside = self._path.with_suffix(".new")
        with open(aside, "wb", opener=_for_the_owner) as file:
            for (pk, sk), item in _read(self._path).items():
                file.write(_line([(pk, sk, item)]))
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._path)
        self._file = self._path.open("ab")
        self._limit = self._file.tell() + SPARE_BYTES


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _line(changes: Sequence[Change]) -> bytes:
    return json.dumps(changes, separators=(",", ":")).encode() + b"\n"


def _read(path: Path) -> dict[tuple[str, str], Item]:
    """The items by their keys, without those whose time to live has passed."""
    items: dict[tuple[str, str], Item] = {}
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    for number, line in enumerate(lines[:-1], start=1):  # a last line without an end was cut off
        try:
            changes = json.loads(line)
            for pk, sk, item in changes:
                items.pop((pk, sk), None)
                if item is not None:
                    items[pk, sk] = item
        except (ValueError, TypeError) as error:
            raise DamagedJournalError(
                f"{path}, line {number} cannot be read ({error}). Mend or remove that line, or "
                "start without these data: FRESH=1 make run"
            ) from error
    now = time.time()
    return {key: item for key, item in items.items() if not _over(item, now)}


def _over(item: Item, now: float) -> bool:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html"""
    ttl = item.get("ttl", {}).get("N")
    return ttl is not None and float(ttl) < now
