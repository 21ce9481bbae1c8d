"""One execution environment: a runtime process, and the Runtime API that only it talks to."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import h11

from tests.front_door.http_server import Connection, listen, port_of

PREFIX = "/2018-06-01/runtime"
START_SECONDS = 60
#: Lambda kills at the deadline; on a machine that is busy, what was written in time may come late.
SLACK_SECONDS = 3


class FunctionError(Exception):
    """What Lambda tells its caller instead of (the rest of) a response."""


class Invocation:
    """One request to a function, and what becomes of it."""

    def __init__(self, request_id: str, event: bytes) -> None:
        self.request_id = request_id
        self.trace = uuid.uuid4().hex[:24]
        self.event = event
        self.pid: int | None = None
        self.content_type = ""
        self.error_type: str | None = None
        self.error_message = ""
        self.ended = False
        #: Set when its place in the execution environment is free again.
        self.left = asyncio.Event()
        self.response = b""
        self._output: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The response as the function sends it. Raises FunctionError where it breaks off."""
        while (data := await self._output.get()) is not None:
            yield data
        if self.error_type:
            raise FunctionError(f"{self.error_type}: {self.error_message}")

    def put(self, data: bytes) -> None:
        if not self.ended:
            self.response += data
            self._output.put_nowait(data)

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            self._output.put_nowait(None)

    def fail(self, error_type: str, message: str) -> None:
        """No-op when the response is complete, or failed before."""
        if not self.ended:
            self.error_type, self.error_message = error_type, message
            self.end()


class Sandbox:
    """With `at_once` above 1 it is one of Lambda Managed Instances: so many invocations at once,
    each of which times out alone, without the process being ended.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html
    """

    def __init__(
        self,
        command: Sequence[str],
        directory: Path,
        env: Mapping[str, str],
        logs: list[str],
        at_once: int = 1,
    ) -> None:
        self._command = command
        self._directory = directory
        # only managed instances set it
        several = {"AWS_LAMBDA_MAX_CONCURRENCY": str(at_once)} if at_once > 1 else {}
        self._env = {**env, **several}
        self._logs = logs
        self._at_once = at_once
        self._next: asyncio.Queue[tuple[Invocation, float]] = asyncio.Queue()
        #: How many times the runtime asks for work right now, and whether with all its pollers.
        self._asking = 0
        self.idle = asyncio.Event()
        self._started = asyncio.Event()
        self._running: dict[str, Invocation] = {}
        self._error = ("Runtime.ExitError", "the runtime process ended without an answer")
        self.alive = False

    @property
    def pid(self) -> int:
        return self._process.pid

    async def start(self) -> None:
        """The init phase; after it `alive` tells whether it succeeded."""
        self._server = await listen(self._answer)
        address = f"127.0.0.1:{port_of(self._server)}"
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=self._directory,
            env={**self._env, "AWS_LAMBDA_RUNTIME_API": address},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self.alive = True
        self._watcher = asyncio.create_task(self._watch(self._process))
        async with asyncio.timeout(START_SECONDS):
            await self._started.wait()

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self._logs.append(line.decode(errors="replace").rstrip("\n"))
        await process.wait()
        self.alive = False
        self._started.set()
        self.idle.set()
        for invocation in self._running.values():
            invocation.left.set()

    async def run(self, invocation: Invocation, timeout_s: float) -> None:
        """Returns when the runtime may have another invocation in its place, or has died."""
        if self.alive:
            invocation.pid = self.pid
            self._running[invocation.request_id] = invocation
            self._next.put_nowait((invocation, time.time() + timeout_s))
            try:
                async with asyncio.timeout(timeout_s + SLACK_SECONDS):
                    await invocation.left.wait()
            except TimeoutError:
                invocation.fail("Sandbox.Timedout", f"Task timed out after {timeout_s} seconds")
                if self._at_once == 1:
                    self.kill()
                    self.alive = False
            del self._running[invocation.request_id]
        invocation.fail(*self._error)

    def kill(self, signal_number: int = signal.SIGKILL) -> None:
        self._process.send_signal(signal_number)

    async def wait_exit(self) -> int:
        await self._watcher
        assert self._process.returncode is not None
        return self._process.returncode

    async def close(self) -> None:
        if self._process.returncode is None:
            self.kill()
        await self._watcher
        self._server.close()

    async def _answer(self, connection: Connection, request: h11.Request) -> None:
        """The Runtime API: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html"""
        path = request.target.decode().removeprefix(PREFIX)
        headers = {name.decode(): value.decode() for name, value in request.headers}
        if path == "/invocation/next":
            await self._answer_next(connection)
        elif path in ("/init/error", "/restore/error"):
            await self._take_init_error(connection, headers)
        elif (invocation := self._named(path)) and path.endswith("/response"):
            await self._take_response(connection, headers, invocation)
        elif invocation:
            await self._take_error(connection, headers, invocation)
        elif path == "/restore/next":
            _ = [part async for part in connection.body()]
            self._logs.append("RESTORE_START")
            await connection.respond(200)
        else:
            await connection.respond(403, b'{"errorType": "InvalidRequestID"}')

    def _named(self, path: str) -> Invocation | None:
        _, kind, request_id, *_ = [*path.split("/"), "", ""]
        return self._running.get(request_id) if kind == "invocation" else None

    async def _answer_next(self, connection: Connection) -> None:
        _ = [part async for part in connection.body()]
        self._started.set()
        if self._at_once == 1:
            for invocation in self._running.values():
                invocation.left.set()  # with or without an answer
        if self._asking == self._at_once:
            return await connection.respond(400, b'{"errorType": "TooManyRequests"}')
        self._asking += 1
        if self._asking == self._at_once:
            self.idle.set()
        try:
            invocation, deadline = await self._next.get()
        finally:
            self._asking -= 1
            self.idle.clear()
        headers = [
            ("Content-Type", "application/json"),
            ("Lambda-Runtime-Aws-Request-Id", invocation.request_id),
            ("Lambda-Runtime-Deadline-Ms", str(int(deadline * 1000))),
            ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:1:function:local"),
            ("Lambda-Runtime-Invocation-Id", f"id-of-{invocation.request_id}"),
            ("Lambda-Runtime-Trace-Id", f"Root=1-5bef4de7-{invocation.trace}"),
        ]
        await connection.respond(200, invocation.event, headers)

    async def _take_response(
        self, connection: Connection, headers: dict[str, str], invocation: Invocation
    ) -> None:
        if headers.get("lambda-runtime-invocation-id") != f"id-of-{invocation.request_id}":
            return await connection.respond(400, b'{"errorType": "InvalidInvocationID"}')
        invocation.content_type = headers.get("content-type", "")
        try:
            async for data in connection.body():
                invocation.put(data)
        except (OSError, h11.ProtocolError):
            invocation.fail("Lambda.TruncatedResponse", "the response was cut off")
            raise
        if error_type := connection.trailers.get("lambda-runtime-function-error-type"):
            encoded = connection.trailers.get("lambda-runtime-function-error-body", "")
            invocation.fail(error_type, base64.b64decode(encoded).decode())
        await self._over(connection, invocation)

    async def _take_error(
        self, connection: Connection, headers: dict[str, str], invocation: Invocation
    ) -> None:
        invocation.fail(*await self._error_of(connection, headers))
        await self._over(connection, invocation)

    async def _over(self, connection: Connection, invocation: Invocation) -> None:
        invocation.end()
        if self._at_once > 1:  # else the next poll says that the process is ready again
            invocation.left.set()
        await connection.respond(202)

    async def _take_init_error(self, connection: Connection, headers: dict[str, str]) -> None:
        self._error = await self._error_of(connection, headers)
        await connection.respond(202)

    async def _error_of(self, connection: Connection, headers: dict[str, str]) -> tuple[str, str]:
        error = json.loads(b"".join([part async for part in connection.body()]))
        error_type = headers.get("lambda-runtime-function-error-type", error["errorType"])
        return error_type, error["errorMessage"]
