"""Lambda's Runtime API as seen from the function: wait for an invocation, report failures.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html; responses: response_stream.py.
"""

import json
import time
from collections.abc import Mapping

from losi import http1
from losi.config import Config

PREFIX = "/2018-06-01/runtime"
#: It is on this machine.
CONNECT_SECONDS = 5


class LambdaContext:
    """What handlers know as `context`, under the attribute names of Lambda's own.

    `headers` are the invocation's, with names in lower case.
    """

    def __init__(self, headers: Mapping[str, str], config: Config) -> None:
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn", "")
        self.invocation_id = headers.get("lambda-runtime-invocation-id")
        #: Not in the environment as _X_AMZN_TRACE_ID, which all invocations of a process share.
        self.trace_id = headers.get("lambda-runtime-trace-id")
        self._deadline_ms = int(headers["lambda-runtime-deadline-ms"])
        self.function_name = config.function_name
        self.function_version = config.function_version
        self.memory_limit_in_mb = config.memory_limit_in_mb
        self.log_group_name = config.log_group_name
        self.log_stream_name = config.log_stream_name

    def seconds_left(self) -> float:
        return self.get_remaining_time_in_millis() / 1000

    def get_remaining_time_in_millis(self) -> int:
        return max(0, self._deadline_ms - int(time.time() * 1000))


class RuntimeApiError(Exception):
    """The Runtime API refused a call: this process cannot go on, Lambda will start another."""


class RuntimeApi:
    """For one event loop. Several calls may wait for invocations at the same time."""

    def __init__(self, config: Config) -> None:
        self.address = config.runtime_api
        self._config = config
        self._client = http1.Client()

    async def next_invocation(self) -> tuple[LambdaContext, bytes]:
        """Waits without limit. Lambda freezes an idle process, its timers and tasks included."""
        try:
            headers, payload = await self._poll()
        except http1.HttpError:
            # A connection kept over a freeze may have died; a new one shows whether the API has.
            self._client.close()
            headers, payload = await self._poll()
        return LambdaContext(headers, self._config), payload

    async def _poll(self) -> tuple[Mapping[str, str], bytes]:
        return await self._call("GET", "/invocation/next")

    async def wait_for_restore(self) -> None:
        """Returns in each copy that Lambda restores from the snapshot it takes during this call."""
        await self._call("GET", "/restore/next")

    async def report_error(self, path: str, error_type: str, message: str) -> None:
        """`path`: /init/error, /restore/error or /invocation/{request id}/error."""
        error = {"errorType": error_type, "errorMessage": message[:500], "stackTrace": []}
        headers = {"Lambda-Runtime-Function-Error-Type": error_type}
        await self._call("POST", path, json.dumps(error).encode(), headers)

    async def _call(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[Mapping[str, str], bytes]:
        url = f"http://{self.address}{PREFIX}{path}"
        answer = await self._client.request(method, url, headers or {}, body, CONNECT_SECONDS)
        async with answer:
            received = b"".join([piece async for piece in answer])
        if answer.status >= 300:
            raise RuntimeApiError(f"{method} {path} was answered {answer.status}")
        return answer.headers, received

    def close(self) -> None:
        self._client.close()
