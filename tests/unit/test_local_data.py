"""The journal of the embedded DynamoDB, and who may use which folder of data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from local import journal
from local.data import FolderUnusableError, open_data
from local.journal import Change, DamagedJournalError, Item, Journal


def item(pk: str, sk: str, **more: str) -> Item:
    return {
        "pk": {"S": pk},
        "sk": {"S": sk},
        **{name: {"N": value} for name, value in more.items()},
    }


ONE, OTHER = item("a", "one", n="1"), item("a", "other", n="2")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "items.jsonl"


def write(path: Path, *lines: Sequence[Change]) -> None:
    with closing(Journal(path)) as opened:
        for line in lines:
            opened.append(line)


def read(path: Path) -> list[Item]:
    with closing(Journal(path)) as opened:
        return opened.items()


class TestTheJournal:
    def test_what_was_written_last_is_there_and_what_was_deleted_is_not(self, path: Path) -> None:
        before = item("a", "one", n="0")
        write(path, [("a", "one", before), ("a", "other", OTHER)], [("a", "one", ONE)])
        write(path, [("a", "other", None)])

        assert read(path) == [ONE]

    def test_opening_it_leaves_one_line_an_item_for_its_owner_only(self, path: Path) -> None:
        write(path, *5 * [[("a", "one", ONE)]])

        write(path)

        assert path.read_text().count("\n") == 1
        assert path.stat().st_mode & 0o777 == 0o600

    def test_a_request_whose_line_was_cut_off_changed_nothing(self, path: Path) -> None:
        both: list[Change] = [("a", "other", OTHER), ("a", "one", None)]
        write(path, [("a", "one", ONE)], both)
        whole = path.read_bytes()
        second = whole.index(b"\n") + 1

        for end in range(second, len(whole)):
            path.write_bytes(whole[:end])
            assert read(path) == [ONE]

    def test_after_such_a_line_it_is_written_on(self, path: Path) -> None:
        write(path, [("a", "one", ONE)])
        path.write_bytes(path.read_bytes() + b'[["a","oth')

        write(path, [("a", "other", OTHER)])

        assert read(path) == [ONE, OTHER]

    def test_a_damaged_line_is_named_and_nothing_is_lost_by_starting(self, path: Path) -> None:
        write(path, [("a", "one", ONE)])
        damaged = path.read_bytes() + b"[[\n" + path.read_bytes()
        path.write_bytes(damaged)

        with pytest.raises(DamagedJournalError, match="line 2 cannot be read"):
            Journal(path)
        assert path.read_bytes() == damaged

    def test_items_whose_time_is_over_are_not_taken_along(self, path: Path) -> None:
        write(path, [("a", "over", item("a", "over", ttl="1")), ("a", "one", ONE)])

        assert read(path) == [ONE]

    def test_it_does_not_grow_without_end(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(journal, "SPARE_BYTES", 1_000)

        write(path, *([("a", "one", item("a", "one", n=str(number)))] for number in range(100)))

        assert path.stat().st_size < 2_000
        assert read(path) == [item("a", "one", n="99")]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOSI_DATA", raising=False)
    return tmp_path


@pytest.mark.usefixtures("here")
class TestTheFolder:
    def test_a_second_server_gets_one_of_its_own_and_later_the_same_again(self) -> None:
        with closing(open_data(3000)) as first, closing(open_data(4000)) as second:
            assert (str(first.path), str(second.path)) == (".losi", ".losi/4000")

        with closing(open_data(4000)) as second, closing(open_data(5000)) as third:
            assert (str(second.path), str(third.path)) == (".losi/4000", ".losi")

    def test_one_that_is_named_and_in_use_is_refused_with_what_to_do(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LOSI_DATA", "mine")
        with closing(open_data(3000)) as first:
            first.reach.write_text(json.dumps({"base_url": "http://127.0.0.1:3000/api/v1"}))

            with pytest.raises(FolderUnusableError) as refused:
                open_data(4000)

        assert "mine is in use by http://127.0.0.1:3000/api/v1." in str(refused.value)
        assert "LOSI_DATA=mine-4000 PORT=4000 make run" in str(refused.value)

    def test_one_that_cannot_be_written_to_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOSI_DATA", "/proc/losi")

        with pytest.raises(FolderUnusableError, match=r"Cannot write to /proc/losi.*LOSI_DATA="):
            open_data(3000)
