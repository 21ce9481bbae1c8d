"""Invocations one after another, as many at once as Lambda gives this process, on one event loop.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html
"""

import asyncio
import signal
from typing import TYPE_CHECKING

from losi.aws.runtime.event import MalformedEventError
from losi.aws.runtime.exchange import serve
from losi.aws.runtime.logs import error_type, invocation, logger
from losi.aws.runtime.response_stream import Connections
from losi.aws.runtime.runtime_api import LambdaContext, RuntimeApi

if TYPE_CHECKING:
    from starlette.types import ASGIApp


class Pollers:
    """`count` of them; each asks for an invocation, serves it to its end, and asks for the next.

    So a process that is busy asks for no more, and one slow answer holds up no other.
    """

    def __init__(self, app: "ASGIApp", api: RuntimeApi, count: int) -> None:
        self._app = app
        self._api = api
        self._count = count
        self._connections = Connections(api.address)
        self._asking: set[asyncio.Task[tuple[LambdaContext, bytes]]] = set()
        self._stopped = False

    async def run(self) -> None:
        """Returns after SIGTERM, which ends who waits at once, and who is busy after its answer.

        Raises RuntimeApiError when Lambda refuses to go on, after the answers that have begun.
        """
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop)
        pollers = [self._poll() for _ in range(self._count)]
        outcomes = await asyncio.gather(*pollers, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    def _stop(self) -> None:
        self._stopped = True
        for asking in self._asking:
            asking.cancel()

    async def _poll(self) -> None:
        try:
            while not self._stopped:
                asking = asyncio.create_task(self._api.next_invocation())
                self._asking.add(asking)
                try:
                    await asyncio.wait({asking})
                finally:
                    self._asking.discard(asking)
                if asking.cancelled():
                    return
                await self._serve(*asking.result())
        finally:
            self._stop()

    async def _serve(self, context: LambdaContext, payload: bytes) -> None:
        invocation.set(context)
        try:
            await serve(self._app, self._connections, context, payload)
        except MalformedEventError as error:
            logger.error("refused an event: %s", error)
            path = f"/invocation/{context.aws_request_id}/error"
            await self._api.report_error(path, error_type(error), str(error))
        finally:
            invocation.set(None)
