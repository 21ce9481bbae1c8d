"""The file of request lines that `make run` writes."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from local.requests_log import RequestsFile, to_the_terminal
from losi.observe import lines
from losi.observe.metrics import Metrics

LINE = {
    "request_id": "req_1",
    "method": "POST",
    "endpoint": "create_chat_completion",
    "status": 200,
    "duration_ms": 12,
    "account": "acct_1",
    "model": "gpt-4o",
    "error": None,
}


def test_it_goes_on_in_the_file_of_the_run_before(tmp_path: Path) -> None:
    for number in range(2):
        with closing(RequestsFile(tmp_path / "requests.jsonl")) as write:
            write({"number": number})

    assert list(lines.of_folder(tmp_path)) == ['{"number":0}', '{"number":1}']


def test_a_full_file_becomes_the_one_before(tmp_path: Path) -> None:
    with closing(RequestsFile(tmp_path / "requests.jsonl", most_bytes=26)) as write:
        for number in range(5):
            write({"number": number})  # 13 bytes with the line's end

    assert (tmp_path / "requests.jsonl.1").read_text() == '{"number":2}\n{"number":3}\n'
    assert list(lines.of_folder(tmp_path)) == [f'{{"number":{number}}}' for number in (2, 3, 4)]


def test_a_line_that_is_longer_than_a_file_is_written_all_the_same(tmp_path: Path) -> None:
    with closing(RequestsFile(tmp_path / "requests.jsonl", most_bytes=1)) as write:
        write({"number": 0})

    assert list(lines.of_folder(tmp_path)) == ['{"number":0}']
    assert not (tmp_path / "requests.jsonl.1").exists()


def test_a_file_that_was_deleted_is_begun_anew(tmp_path: Path) -> None:
    with closing(RequestsFile(tmp_path / "requests.jsonl", most_bytes=26)) as write:
        write({"number": 0})
        write({"number": 1})
        (tmp_path / "requests.jsonl").unlink()
        write({"number": 2})

    assert list(lines.of_folder(tmp_path)) == ['{"number":2}']


def test_the_terminal_shows_a_request_in_short(capsys: pytest.CaptureFixture[str]) -> None:
    to_the_terminal(LINE)
    to_the_terminal({**LINE, "status": None, "endpoint": None, "account": None, "error": "stopped"})
    to_the_terminal({"_aws": {}})  # metrics alone

    assert capsys.readouterr().err == (
        "INFO    req_1 POST create_chat_completion 200 12 ms acct_1 gpt-4o\n"
        "INFO    req_1 POST - - 12 ms - gpt-4o stopped\n"
    )


def test_a_disk_that_is_full_breaks_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    def full(line: object) -> None:
        raise OSError(28, "No space left on device")

    before = list(lines.outputs)
    lines.write_to(full)
    try:
        lines.write_run("settlements", Counter(), Metrics("", details=False))
    finally:
        lines.write_to(*before)

    assert caplog.messages == ["a line was not written: No space left on device"]
