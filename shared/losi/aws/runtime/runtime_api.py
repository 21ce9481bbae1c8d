"""Lambda's Runtime API as seen from the function: wait for an invocation, report failures.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html; responses: response_stream.py.
"""

import http.client
import json
import time
from email.message import Message

from losi.config import Config

PREFIX = "/2018-06-01/runtime"


class LambdaContext:
    """What handlers know as `context`, under the attribute names of Lambda's own."""

    def __init__(self, headers: "Message[str, str]", config: Config) -> None:
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.invocation_id = headers["Lambda-Runtime-Invocation-Id"]
        self.trace_id = headers["Lambda-Runtime-Trace-Id"]
        self._deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])
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
    def __init__(self, config: Config) -> None:
        self.address = config.runtime_api
        self._config = config
        self._polling = http.client.HTTPConnection(
            self.address
        )  # no timeout: a poll may last hours

    def next_invocation(self) -> tuple[LambdaContext, bytes]:
        """Blocks until there is one. Lambda freezes the process meanwhile, background tasks too."""
        try:
            response, payload = self._poll()
        except (http.client.HTTPException, OSError):
            # A connection kept over a freeze may have died; a new one shows whether the API has.
            self._polling.close()
            response, payload = self._poll()
        if response.status != 200:
            raise RuntimeApiError(f"GET /invocation/next was answered {response.status}")
        return LambdaContext(response.headers, self._config), payload

    def _poll(self) -> tuple[http.client.HTTPResponse, bytes]:
        self._polling.request("GET", f"{PREFIX}/invocation/next")
        response = self._polling.getresponse()
        return response, response.read()

    def wait_for_restore(self) -> None:
        """Returns in each copy that Lambda restores from the snapshot it takes during this call."""
        self._call("GET", "/restore/next")

    def report_error(self, path: str, error_type: str, message: str) -> None:
        """`path`: /init/error, /restore/error or /invocation/{request id}/error."""
        error = {"errorType": error_type, "errorMessage": message[:500], "stackTrace": []}
        self._call("POST", path, json.dumps(error).encode(), error_type)

    def _call(self, method: str, path: str, body: bytes = b"", error_type: str = "") -> None:
        headers = {"Lambda-Runtime-Function-Error-Type": error_type} if error_type else {}
        connection = http.client.HTTPConnection(self.address)
        try:
            connection.request(method, PREFIX + path, body or None, headers)
            status = connection.getresponse().status
        finally:
            connection.close()
        if status >= 300:
            raise RuntimeApiError(f"{method} {path} was answered {status}")
