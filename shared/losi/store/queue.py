"""A queue for letters that must not be lost, outside the table's failure domain: SQS, or files."""

import asyncio
import os
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from losi.config import Config
from losi.store.client import on_first_use

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

T = TypeVar("T")

#: The most that one ReceiveMessage returns.
BATCH = 10


class QueueUnavailableError(Exception):
    """The queue accepted or returned nothing."""


@dataclass(frozen=True, slots=True)
class Letter:
    text: str
    receipt: str


class Queue(Protocol):
    """Letters are delivered at least once, in any order. Each call raises QueueUnavailableError."""

    #: Whether a schedule empties it; otherwise its writer must.
    has_consumer: bool

    async def put(self, text: str) -> None: ...

    async def take(self) -> list[Letter]:
        """Some of the waiting letters; [] if there are none. They are delivered again unless `done`
        is called.
        """
        ...

    async def done(self, letter: Letter) -> None: ...

    async def bury(self, letter: Letter) -> None:
        """Set aside a letter that can never be processed."""
        ...


class SqsQueue:
    has_consumer = True

    def __init__(self, client: "SQSClient", url: str, dead_letters: str) -> None:
        self._client = client
        self._url = url
        self._dead_letters = dead_letters

    async def put(self, text: str) -> None:
        await self._send(self._url, text)

    async def take(self) -> list[Letter]:
        answer = await _in_thread(
            lambda: self._client.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=BATCH, WaitTimeSeconds=1
            )
        )
        return [
            Letter(message["Body"], message["ReceiptHandle"])
            for message in answer.get("Messages", [])
        ]

    async def done(self, letter: Letter) -> None:
        await _in_thread(
            lambda: self._client.delete_message(QueueUrl=self._url, ReceiptHandle=letter.receipt)
        )

    async def bury(self, letter: Letter) -> None:
        await self._send(self._dead_letters, letter.text)
        await self.done(letter)

    async def _send(self, url: str, text: str) -> None:
        await _in_thread(lambda: self._client.send_message(QueueUrl=url, MessageBody=text))


class FolderQueue:
    """One file a letter, for machines without SQS. A file that exists is complete and on disk."""

    has_consumer = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, text: str) -> None:
        def write() -> None:
            self._folder.mkdir(parents=True, exist_ok=True)
            name = secrets.token_hex(8)
            unfinished = self._folder / f"{name}.tmp"
            with unfinished.open("w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(self._folder / f"{name}.json")

        await _in_thread(write)

    async def take(self) -> list[Letter]:
        def read() -> list[Letter]:
            waiting = sorted(self._folder.glob("*.json"))[:BATCH]
            # damaged bytes are replaced: such a letter is no settlement, and must not stop the rest
            return [Letter(path.read_text(errors="replace"), path.name) for path in waiting]

        return await _in_thread(read)

    async def done(self, letter: Letter) -> None:
        await _in_thread(lambda: (self._folder / letter.receipt).unlink(missing_ok=True))

    async def bury(self, letter: Letter) -> None:
        dead = (self._folder / letter.receipt).with_suffix(".dead")
        await _in_thread(lambda: (self._folder / letter.receipt).replace(dead))


async def _in_thread(call: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(call)
    except OSError as error:
        raise QueueUnavailableError(type(error).__name__) from error
    except Exception as error:
        from botocore.exceptions import BotoCoreError, ClientError

        if isinstance(error, BotoCoreError | ClientError):
            raise QueueUnavailableError(type(error).__name__) from error
        raise


def settlements(config: Config) -> Queue:
    """The deployment's queue of settlements; without SQS, a folder."""
    if not config.settlements_queue:
        default = Path(tempfile.gettempdir()) / "losi-settlements"
        return FolderQueue(Path(config.settlements_folder or default))
    client = on_first_use(_sqs)
    return SqsQueue(client, config.settlements_queue, config.dead_settlements_queue)


def _sqs() -> "SQSClient":
    import boto3
    from botocore.config import Config as ClientConfig

    limits = ClientConfig(
        retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=1, read_timeout=3
    )
    return boto3.client("sqs", config=limits)
