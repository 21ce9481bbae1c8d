"""Letters in a folder: whole, at least once, and set aside when nothing can be done with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from losi.config import Config
from losi.store.queue import FolderQueue, QueueUnavailableError, SqsQueue, settlements

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "letters"


def kept(folder: Path) -> list[tuple[str, str]]:
    """Suffix and text of the files."""
    return sorted((path.suffix, path.read_text()) for path in folder.iterdir())


async def test_a_letter_comes_until_it_is_done(folder: Path) -> None:
    queue = FolderQueue(folder)
    await queue.put("one")

    (letter,) = await queue.take()
    assert letter.text == "one"
    assert await queue.take() == [letter]

    await queue.done(letter)
    await queue.done(letter)  # by another process, too
    assert await queue.take() == []
    assert kept(folder) == []


async def test_nothing_waits_where_nothing_was_put(folder: Path) -> None:
    assert await FolderQueue(folder).take() == []


async def test_at_most_ten_come_at_once(folder: Path) -> None:
    queue = FolderQueue(folder)
    for number in range(11):
        await queue.put(str(number))

    assert len(await queue.take()) == 10
    assert {suffix for suffix, _ in kept(folder)} == {".json"}


async def test_a_buried_letter_does_not_come_again_and_is_not_lost(folder: Path) -> None:
    queue = FolderQueue(folder)
    await queue.put("bad")
    (letter,) = await queue.take()

    await queue.bury(letter)

    assert await queue.take() == []
    assert kept(folder) == [(".dead", "bad")]


async def test_a_folder_that_cannot_be_written_is_an_unavailable_queue() -> None:
    a_file = Path(__file__)

    with pytest.raises(QueueUnavailableError, match="FileExistsError"):
        await FolderQueue(a_file).put("one")


async def test_without_a_queue_of_the_deployment_letters_go_into_a_folder(folder: Path) -> None:
    queue = settlements(Config(settlements_queue="", settlements_folder=str(folder)))

    assert not queue.has_consumer
    await queue.put("one")
    assert kept(folder) == [(".json", "one")]


def test_the_deployments_own_is_emptied_by_schedule() -> None:
    assert settlements(Config(settlements_queue="https://sqs.example/1/q")).has_consumer


async def test_a_damaged_letter_does_not_stop_the_others(folder: Path) -> None:
    queue = FolderQueue(folder)
    await queue.put("whole")
    (folder / "0.json").write_bytes(b"\xff\xfe")

    damaged, whole = await queue.take()

    assert (damaged.text, whole.text) == ("\ufffd\ufffd", "whole")


class FailingSqs:
    """SQS's client, whose call fails: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/
    APIReference/API_SendMessage.html#API_SendMessage_Errors
    """

    def __init__(self, error: Exception) -> None:
        self._error = error

    def send_message(self, **_: object) -> None:
        raise self._error


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "AWS.SimpleQueueService.NonExistentQueue"}}, "SendMessage"),
        EndpointConnectionError(endpoint_url="https://sqs.us-east-1.amazonaws.com"),
        ConnectionResetError(),
    ],
)
async def test_an_sqs_that_fails_is_an_unavailable_queue(error: Exception) -> None:
    queue = SqsQueue(cast("SQSClient", FailingSqs(error)), "QUEUE", "DEAD")

    with pytest.raises(QueueUnavailableError, match=type(error).__name__):
        await queue.put("one")


async def test_a_mistake_of_ours_is_not_called_unavailable() -> None:
    queue = SqsQueue(cast("SQSClient", FailingSqs(KeyError("url"))), "QUEUE", "DEAD")

    with pytest.raises(KeyError):
        await queue.put("one")
