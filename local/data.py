"""The folder in which a local server keeps its data: one for each that runs at the same time."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

DEFAULT = Path(".losi")


class FolderUnusableError(Exception):
    """Another server uses it, or it cannot be written to; the message says what to do."""


class DataFolder:
    """Nobody else's as long as this process runs: a lock ends with its process, also by a kill."""

    def __init__(self, path: Path, lock: IO[bytes]) -> None:
        self.path = path
        self._lock = lock
        self.demo_env = path / "demo.env"
        self.journal = path / "items.jsonl"
        self.settlements = path / "settlements"
        #: A line for each request: docs/observability.md
        self.requests = path / "requests.jsonl"
        #: For `losi`: where the API and its table are.
        self.reach = path / "local.json"

    def close(self) -> None:
        """Leave it to others."""
        self._lock.close()

    def forget(self) -> None:
        """FRESH=1: all but the demo key, so that what was given it goes on."""
        self.journal.unlink(missing_ok=True)
        self.requests.unlink(missing_ok=True)
        shutil.rmtree(self.settlements, ignore_errors=True)

    @contextmanager
    def reachable(self, base_url: str, dynamodb_endpoint: str, table: str) -> Iterator[None]:
        """Says for as long as the server runs where `losi` finds it."""
        reach = {"dynamodb_endpoint": dynamodb_endpoint, "table": table, "base_url": base_url}
        self.reach.write_text(json.dumps(reach, indent=2) + "\n")
        try:
            yield
        finally:
            self.reach.unlink(missing_ok=True)


def open_data(port: int) -> DataFolder:
    """LOSI_DATA; else `.losi`, or where another server uses that one of this port's own.

    A port that has had one of its own gets it again. Raises FolderUnusableError.
    """
    if named := os.environ.get("LOSI_DATA"):
        folder = _open(Path(named))
        if folder is None:
            raise FolderUnusableError(
                f"{named} is in use by {_user_of(Path(named))}. Stop that one, or give this one "
                f"data of its own: LOSI_DATA={named}-{port} PORT={port} make run"
            )
        return folder
    own = DEFAULT / str(port)
    folder = None if own.is_dir() else _open(DEFAULT)
    folder = folder or _open(own)
    if folder is None:
        raise FolderUnusableError(f"{own} is in use by {_user_of(own)}. Stop that one first.")
    return folder


def _open(path: Path) -> DataFolder | None:
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = (path / "lock").open("ab")
    except OSError as error:
        raise FolderUnusableError(
            f"Cannot write to {path}: {error.strerror}. Data go there; name another folder: "
            "LOSI_DATA=/tmp/losi make run"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return DataFolder(path, lock)


def _user_of(path: Path) -> str:
    try:
        return str(json.loads((path / "local.json").read_text())["base_url"])
    except (OSError, ValueError, KeyError):
        return "another server"
