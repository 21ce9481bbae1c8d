"""The folder in which a local server keeps its data. Servers that run at the same time have one
each.
"""

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
    """Another server uses the folder, or it cannot be written to. The message says what to do."""


class DataFolder:
    """A folder that no other process uses while this one runs: its lock ends with the process, even
    if it is killed.
    """

    def __init__(self, path: Path, lock: IO[bytes]) -> None:
        self.path = path
        self._lock = lock
        self.demo_env = path / "demo.env"
        self.journal = path / "items.jsonl"
        self.settlements = path / "settlements"
        #: One line per request: docs/observability.md
        self.requests = path / "requests.jsonl"
        #: Tells `losi` where the API and its table are.
        self.reach = path / "local.json"

    def close(self) -> None:
        """Release the folder for others."""
        self._lock.close()

    def forget(self) -> None:
        """For FRESH=1: delete all data but the demo key, so that clients that have it keep
        working.
        """
        self.journal.unlink(missing_ok=True)
        self.requests.unlink(missing_ok=True)
        shutil.rmtree(self.settlements, ignore_errors=True)

    @contextmanager
    def reachable(self, base_url: str, dynamodb_endpoint: str, table: str) -> Iterator[None]:
        """While the server runs, a file tells `losi` where it is."""
        reach = {"dynamodb_endpoint": dynamodb_endpoint, "table": table, "base_url": base_url}
        self.reach.write_text(json.dumps(reach, indent=2) + "\n")
        try:
            yield
        finally:
            self.reach.unlink(missing_ok=True)


def open_data(port: int) -> DataFolder:
    """Open LOSI_DATA if it is set, else `.losi`; if another server uses that, a folder of this
    port's own. A port that once had its own folder gets it again. Raises FolderUnusableError.
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
