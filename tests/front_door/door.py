"""FrontDoor: the gateway and its functions, on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import signal
import ssl
import threading
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any, TypeVar

from tests.front_door.gateway import STAGE, Gateway
from tests.front_door.http_server import listen, port_of
from tests.front_door.lambda_service import Function, LambdaService
from tests.front_door.sandbox import Invocation
from tests.front_door.template import gateway_responses

T = TypeVar("T")
IDLE_SECONDS = 60


class FrontDoor:
    """`routes`: "METHOD /path/{parameter}" to function, e.g. those of `template_routes()`.

    `env` goes to every function, on top of what Lambda sets; `concurrency` is the number of
    processes a function may have, `timeout_s` the time an invocation may take. With `stage_in_url`
    it answers as AWS's own address does, else as a domain; with `tls` it speaks https.
    """

    def __init__(
        self,
        routes: Mapping[str, Function],
        env: Mapping[str, str] | None = None,
        *,
        concurrency: int = 2,
        timeout_s: float = 60,
        stage_in_url: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        functions = {function.name: function for function in routes.values()}
        self._services = {
            name: LambdaService(function, env or {}, concurrency, timeout_s)
            for name, function in functions.items()
        }
        services = {key: self._services[function.name] for key, function in routes.items()}
        self._prefix = f"/{STAGE}" if stage_in_url else ""
        own_answers = gateway_responses((env or {}).get("LOSI_SUPPORT", ""))
        self._gateway = Gateway(services, own_answers, self._prefix)
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="front-door")
        self.url = ""

    def __enter__(self) -> FrontDoor:
        self._thread.start()
        self._server = self._do(listen(self._gateway.answer, self._tls))
        scheme = "https" if self._tls else "http"
        self.url = f"{scheme}://127.0.0.1:{port_of(self._server)}{self._prefix}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        for service in self._services.values():
            await service.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(IDLE_SECONDS)

    def limit(self, timeout_s: float) -> None:
        """From now on an invocation may take this long."""
        for service in self._services.values():
            service.timeout_s = timeout_s

    def wait_idle(self) -> None:
        """Returns when every function has finished its invocations, whoever still listened."""
        for service in self._services.values():
            self._do(service.wait_idle())

    def invoke(self, function: str, event: bytes) -> Invocation:
        """Invokes a function past the gateway, with any payload, and waits for its end."""
        return self._do(self._invoke(self._services[function], event))

    async def _invoke(self, service: LambdaService, event: bytes) -> Invocation:
        invocation = service.invoke(event)
        await service.wait_idle()
        return invocation

    def kill(self, function: str, signal_number: int = signal.SIGKILL) -> None:
        """Signals all processes of the function; Lambda's way of ending them is SIGKILL."""
        self._services[function].kill(signal_number)

    def wait_exit(self, function: str) -> int:
        """Waits until the function's newest process has ended by itself; its exit code."""
        return self._do(self._services[function].wait_exit())

    def pids(self, function: str) -> list[int]:
        """The function's live processes."""
        return self._services[function].pids()

    def invocations(self, function: str) -> list[Invocation]:
        """All there were, in the order of their arrival."""
        return self._services[function].invocations

    def logs(self, function: str) -> list[str]:
        """The lines that the function's processes have written to stdout and stderr."""
        return self._services[function].logs
