"""DynamoDB's JSON protocol on the event loop: the hot path's calls, without boto3 and threads.

boto3 takes 2.3 ms of CPU for an UpdateItem and 280 ms to import; this takes a fifth of both. Each
call is tried once, because only the caller knows what another try is worth. All other calls use
boto3 (losi.store.table). docs/decisions/0010-hot-path.md.
"""

import asyncio
import time
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import orjson

from losi import http1
from losi.store.signing import Credentials, CredentialSource, signed_headers
from losi.time_limit import within

CALL_SECONDS = 1.4
#: The share of a call's time that connecting may take.
CONNECT_SHARE = 0.7
#: Refusals because of too many requests at the moment:
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
THROTTLED = {
    "ProvisionedThroughputExceededException",
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
    "ThrottlingException",
    "ThrottlingError",
}
#: Refusals whose cause may be that our clock is wrong, or that our credentials have ended.
_SIGNED_BADLY = {
    "InvalidSignatureException",
    "RequestExpired",
    "ExpiredTokenException",
    "UnrecognizedClientException",
}


class DynamoDBError(Exception):
    """DynamoDB's refusal: `code` without its prefix, the HTTP status, and the whole answer."""

    def __init__(self, code: str, status: int, answer: dict[str, Any]) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.answer = answer


class SendsToDynamoDB(Protocol):
    async def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Returns the answer of an operation such as `UpdateItem`.

        Raises DynamoDBError, NoCredentialsError and http1.ConnectError if nothing was done,
        http1.ConnectionLostError if something may have been done.
        """
        ...


class DynamoDB:
    """`seconds`: the time limit of one call. An empty endpoint means AWS's own for the Region."""

    def __init__(self, region: str, endpoint: str = "", seconds: float = CALL_SECONDS) -> None:
        self._seconds = seconds
        self._region = region
        self._url = (endpoint or _endpoint(region)).rstrip("/") + "/"
        self._host = urlsplit(self._url).netloc
        self._credentials = CredentialSource()
        #: Seconds that AWS's clock is ahead of ours, as a refusal showed.
        self._skew = 0.0
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, http1.Client] = (
            WeakKeyDictionary()
        )

    async def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        body = orjson.dumps(request)
        try:
            return await self._try(operation, body)
        except DynamoDBError as error:
            if error.code not in _SIGNED_BADLY:
                raise
        self._credentials = CredentialSource()
        return await self._try(operation, body)  # it was refused unprocessed: safe to repeat

    def close(self) -> None:
        """Close the running loop's connections."""
        self._client().close()

    async def _try(self, operation: str, body: bytes) -> dict[str, Any]:
        headers = signed_headers(
            self._host,
            f"DynamoDB_20120810.{operation}",
            body,
            self._region,
            await self._credential(),
            time.time() + self._skew,
        )
        try:
            with within(self._seconds):
                response, raw = await self._post(headers, body)
        except TimeoutError as error:
            raise http1.ConnectionLostError("DynamoDB did not answer in time") from error
        answer = _object(raw)
        if response.status == 200:
            return answer
        code = str(answer.get("__type", "")).rpartition("#")[2]
        if code in _SIGNED_BADLY and (date := response.headers.get("date")):
            self._skew = _seconds_ahead(date)
        raise DynamoDBError(code, response.status, answer)

    async def _post(self, headers: dict[str, str], body: bytes) -> tuple[http1.Response, bytes]:
        connect = CONNECT_SHARE * self._seconds
        request = self._client().request("POST", self._url, headers, body, connect)
        async with await request as response:
            return response, await response.read()

    async def _credential(self) -> Credentials:
        if (known := self._credentials.fresh()) is not None:
            return known
        return await asyncio.to_thread(self._credentials.read)

    def _client(self) -> http1.Client:
        """The running loop's client. A process has one loop, except in tests."""
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = http1.Client()
        return client


def _endpoint(region: str) -> str:
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://dynamodb.{region}.{suffix}"


def _object(raw: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise http1.ConnectionLostError("DynamoDB answered something that is not JSON") from error
    if not isinstance(answer, dict):
        raise http1.ConnectionLostError("DynamoDB answered something that is no object")
    return answer


def _seconds_ahead(date: str) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except ValueError:
        return 0.0
