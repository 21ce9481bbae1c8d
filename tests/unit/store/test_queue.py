"""Letters in a folder: whole, at least once, and set aside when nothing can be done with them."""

from pathlib import Path

import pytest

from losi.config import Config
from losi.store.queue import FolderQueue, QueueUnavailableError, settlements


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
