"""The port to listen on, and waiting for a server that was started as a process to listen."""

import os
import socket
import subprocess

DEFAULT_PORT = 3000
SECONDS = 120


class NoPortError(Exception):
    """PORT is not a port. The message says what is."""


class NotListeningError(Exception):
    """The process ended or never listened. The message says which."""


def chosen_port() -> int:
    """The variable PORT, or 3000. Raises NoPortError."""
    text = os.environ.get("PORT") or str(DEFAULT_PORT)
    if text.isdecimal() and 0 < int(text) < 65536:
        return int(text)
    raise NoPortError(f"PORT={text} is not a port: use a number from 1 to 65535.")


def wait_until_listening(server: subprocess.Popen[bytes], port: int, name: str) -> None:
    """Returns once the loopback port answers. Raises NotListeningError."""
    for _ in range(SECONDS * 10):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            pass
        try:
            server.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue
        raise NotListeningError(f"{name} ended with exit code {server.returncode}")
    raise NotListeningError(f"{name} did not listen within {SECONDS} seconds")
