"""Recorded traffic of real providers: tests/data/cassettes, with its provenance beside it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parent / "data" / "cassettes"


@dataclass(frozen=True)
class Cassette:
    name: str
    request: dict[str, Any]
    status: int
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The `data:` of every server-sent event, [DONE] left out."""
        lines = [line.removeprefix("data:").strip() for line in self.body.splitlines()]
        return [json.loads(line) for line in lines if line.startswith("{")]


def cassettes(folder: str, prefix: str = "") -> list[Cassette]:
    """Those whose file name begins with the prefix (json-, stream-, error-), in their order."""
    files = sorted((_ROOT / folder).glob(f"{prefix}*.json"))
    return [_read(file) for file in files if file.name != "index.json"]


def cassette(folder: str, name: str) -> Cassette:
    return _read(_ROOT / folder / f"{name}.json")


def _read(file: Path) -> Cassette:
    recorded = json.loads(file.read_text("utf-8"))
    response = recorded["response"]
    return Cassette(
        file.stem, recorded["request"], response["status"], response["headers"], response["body"]
    )
