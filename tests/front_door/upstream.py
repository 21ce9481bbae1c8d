"""A server whose every line a test releases by hand, so that order is proved without clocks."""

from __future__ import annotations

import queue
import socket
import threading
from types import TracebackType

SECONDS = 30


class Upstream:
    """Takes one connection at a time; what is released goes to it, what it says can be awaited.

    with Upstream() as upstream:
        ...                       # something connects to 127.0.0.1:upstream.port
        upstream.release("one")   # it gets the line, and nothing before
        upstream.close()          # end of the stream
        upstream.heard()          # the next line the other side has written; None: it hung up
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(SECONDS)
        self._released: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._heard: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="upstream")
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Upstream:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes a thread that still waits for a client
        self._listener.close()
        self._thread.join()

    def release(self, line: str) -> None:
        self._released.put(line)

    def close(self) -> None:
        self._released.put(None)

    def heard(self) -> str | None:
        return self._heard.get(timeout=SECONDS)

    def _serve(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # nobody came
        with connection:
            connection.settimeout(SECONDS)
            try:
                while (line := self._released.get()) is not None:
                    connection.sendall(line.encode() + b"\n")
                connection.shutdown(socket.SHUT_WR)
                with connection.makefile() as answers:
                    for answer in answers:
                        self._heard.put(answer.rstrip("\n"))
            except OSError:
                pass  # the other side is gone, which `heard` then tells
        self._heard.put(None)
