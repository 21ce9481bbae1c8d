"""Waiting for a server that was started as a process to accept connections."""

import socket
import subprocess

SECONDS = 120


class NotListeningError(Exception):
    """The process ended or never listened. The message says which."""


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
