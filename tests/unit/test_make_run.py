"""`make run` before it serves."""

import asyncio
import socket
from pathlib import Path

import pytest

from local import __main__ as make_run
from losi.catalogue import loader
from tests.catalogue import FOLDER


def test_it_does_not_start_with_a_mistake_in_the_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plans.toml").write_text("[free]\nkeys = 'ten'\n")
    monkeypatch.setattr(loader, "FOLDERS", (FOLDER, tmp_path))

    assert make_run.main() == 1

    told = capsys.readouterr()
    assert f"{tmp_path.name}/plans.toml: plan 'free': keys must be a whole number" in told.err
    assert told.out == ""


async def test_answers_are_sent_at_once() -> None:
    """Read off an accepted connection: with Nagle's algorithm each answer is 40 ms late."""
    listener = make_run._listen(0)
    assert listener is not None
    accepted = asyncio.Future[int]()

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        accepted.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    server = await asyncio.start_server(accept, sock=listener)
    _, writer = await asyncio.open_connection(*listener.getsockname())
    try:
        assert await accepted == 1
    finally:
        writer.close()
        server.close()
