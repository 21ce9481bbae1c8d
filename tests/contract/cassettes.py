"""Recorded traffic of real providers, from tests/data/cassettes (provenance in each file)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tests.fake_upstream import Reply

FOLDER = Path(__file__).parent.parent / "data" / "cassettes"


@dataclass(frozen=True)
class Cassette:
    name: str
    request: dict[str, Any]
    status: int
    headers: dict[str, str]
    body: bytes

    def reply(self, *, cut_into: int | None = None) -> Reply:
        """The recorded answer; `cut_into` sends it in pieces of that many bytes."""
        size = cut_into or len(self.body) or 1
        pieces = [self.body[at : at + size] for at in range(0, len(self.body), size)]
        kind = {"content-type": self.headers.get("content-type", "application/json")}
        return Reply(pieces, self.status, kind)

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def events(self) -> list[Any]:
        """The `data:` objects of a recorded OpenAI stream, read without our own parser."""
        lines = self.body.decode().replace("\r\n", "\n").split("\n")
        data = [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]
        return [orjson.loads(one) for one in data if one != "[DONE]"]


def load(folder: str, pattern: str) -> list[Cassette]:
    found = []
    for path in sorted((FOLDER / folder).glob(pattern)):
        recorded = orjson.loads(path.read_bytes())
        answer = recorded["response"]
        found.append(
            Cassette(
                path.stem,
                recorded["request"],
                answer["status"],
                answer["headers"],
                answer["body"].encode(),
            )
        )
    return found
