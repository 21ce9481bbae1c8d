"""Lambda: keeps processes for each function, gives them invocations, replaces those that die."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.front_door.sandbox import Invocation, Sandbox

EXEC_WRAPPER = Path(__file__).parents[2] / "shared/losi/aws/runtime/exec-wrapper"
#: Of the tests' own environment a function sees no more than this.
INHERITED = ("PATH", "HOME", "LANG", "COVERAGE_PROCESS_START")
LAMBDA_ENVIRONMENT = {
    "AWS_LAMBDA_FUNCTION_VERSION": "1",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
}


@dataclass(frozen=True)
class Function:
    """A function as template.yaml describes it."""

    name: str
    directory: Path
    streaming: bool = False
    handler: str = "app.handler"
    env: Mapping[str, str] = field(default_factory=dict)
    #: Invocations that one process has at the same time: above 1 on Lambda Managed Instances only.
    at_once: int = 1
    python: str = sys.executable

    def sandbox(self, env: Mapping[str, str], logs: list[str]) -> Sandbox:
        """A new execution environment, with these variables of Lambda's and the template's."""
        stock = [self.python, "-m", "awslambdaric", self.handler]
        command = [str(EXEC_WRAPPER), *stock] if self.streaming else stock
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        own = {"_HANDLER": self.handler, "LAMBDA_TASK_ROOT": str(self.directory)}
        return Sandbox(command, self.directory, {**inherited, **own, **env}, logs, self.at_once)


#: `Function`, or what takes the same arguments and makes one of another kind.
MakeFunction = Callable[..., Function]


class _Environment:
    """One process at a time, replaced when it has died. Who comes while it starts, waits for it."""

    def __init__(self, new_sandbox: Callable[[], Sandbox]) -> None:
        self._new_sandbox = new_sandbox
        self._sandbox: Sandbox | None = None
        self._starting = asyncio.Lock()

    async def living(self) -> Sandbox:
        async with self._starting:
            if self._sandbox is None or not self._sandbox.alive:
                self._sandbox = self._new_sandbox()
                await self._sandbox.start()
            return self._sandbox


class LambdaService:
    """One function's execution environments, at most `concurrency`; more requests wait."""

    def __init__(
        self, function: Function, env: Mapping[str, str], concurrency: int, timeout_s: float
    ) -> None:
        self.function = function
        self.invocations: list[Invocation] = []
        self.logs: list[str] = []
        name = {"AWS_LAMBDA_FUNCTION_NAME": function.name}
        self._env = {**LAMBDA_ENVIRONMENT, **name, **env, **function.env}
        self.timeout_s = timeout_s
        self._running: set[asyncio.Task[None]] = set()
        # last in, first out: as in Lambda, the warmest environment serves next
        self._slots: asyncio.LifoQueue[_Environment] = asyncio.LifoQueue()
        for environment in [_Environment(self._new_sandbox) for _ in range(concurrency)]:
            for _ in range(function.at_once):
                self._slots.put_nowait(environment)
        self._sandboxes: list[Sandbox] = []
        self._ids = itertools.count(1)

    def invoke(self, event: bytes) -> Invocation:
        """Starts an invocation: read it with `chunks()`. It goes on when nobody reads it."""
        invocation = Invocation(f"{self.function.name}-{next(self._ids)}", event)
        self.invocations.append(invocation)
        task = asyncio.create_task(self._run(invocation))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return invocation

    async def _run(self, invocation: Invocation) -> None:
        environment = await self._slots.get()
        try:
            sandbox = await environment.living()
            await sandbox.run(invocation, self.timeout_s)
        finally:
            invocation.fail("Runtime.Unknown", "the front door itself failed")
            self._slots.put_nowait(environment)

    def _new_sandbox(self) -> Sandbox:
        sandbox = self.function.sandbox(self._env, self.logs)
        self._sandboxes.append(sandbox)
        return sandbox

    async def wait_idle(self) -> None:
        while self._running:
            await asyncio.wait(self._running)
        for sandbox in self._sandboxes:
            if sandbox.alive:
                await sandbox.idle.wait()  # some tidy up after their response

    def pids(self) -> list[int]:
        return [sandbox.pid for sandbox in self._sandboxes if sandbox.alive]

    def kill(self, signal_number: int = signal.SIGKILL) -> None:
        for sandbox in self._sandboxes:
            if sandbox.alive:
                sandbox.kill(signal_number)
                sandbox.alive = False  # what is told to end gets no more work

    async def wait_exit(self) -> int:
        return await self._sandboxes[-1].wait_exit()

    async def close(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*(sandbox.close() for sandbox in self._sandboxes))
