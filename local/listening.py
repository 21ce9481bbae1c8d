"""Waiting for a server that was started as a process to accept connections."""

import socket
import subprocess

SECONDS = 120


class NotListening(Exception):
    """The process ended, or never listened; the message says which."""


def wait_until_listening(server: subprocess.Popen[bytes], port: int, name: str) -> None:
    """Returns once the loopback port answers. Raises NotListening."""
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
        raise NotListening(f"{name} ended with exit code {server.returncode}")
    raise NotListening(f"{name} did not listen within {SECONDS} seconds")
