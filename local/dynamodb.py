"""The embedded DynamoDB of `make run`: moto's server, in a thread of this process."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from local.journal import Change, Journal

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

REGION = "us-east-1"
#: A local DynamoDB accepts any credentials; real ones must not be sent to it.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
}
#: What else could lead to credentials of AWS; boto3 fails where they name what is not there.
OTHER_CREDENTIALS = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN")


class EmbeddedDynamoDB:
    """Starts moto's server on a free port. Its data are in the journal; without a journal they end
    with the process. It has a single thread on purpose: with several, moto loses concurrent
    updates.
    """

    def __init__(self, journal: Journal, host: str = "127.0.0.1") -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import WSGIRequestHandler, make_server

        class QuietHandler(WSGIRequestHandler):
            def log(self, type: str, message: str, *args: object) -> None:
                """Prints nothing: an access log would drown the banner."""

        self._journal = journal
        app = _Journaled(DomainDispatcherApplication(create_backend_app), journal)
        server = make_server(host, 0, app, threaded=False, request_handler=QuietHandler)
        server.socket.listen(1024)  # werkzeug's own 128 would drop calls of many requests at once
        threading.Thread(target=server.serve_forever, name="dynamodb", daemon=True).start()
        self.url = f"http://127.0.0.1:{server.port}"

    def restore(self, table: str) -> None:
        """Write the journal's items to the table, which must exist and not be in use yet."""
        stored = _backend().get_table(table)
        for item in self._journal.items():
            stored.put_item(item)


def use_local_credentials(endpoint: str) -> None:
    """Choose the credentials that sign requests: the environment's for AWS itself, dummies for a
    local DynamoDB.
    """
    if not (urlsplit(endpoint).hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn")):
        os.environ.update(CREDENTIALS)
        for name in OTHER_CREDENTIALS:
            os.environ.pop(name, None)


class _Journaled:
    """WSGI middleware: writes what a request changed to the journal before it answers."""

    def __init__(self, app: WSGIApplication, journal: Journal) -> None:
        self._app = app
        self._journal = journal

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        statuses: list[str] = []

        def noted(status: str, *rest: Any) -> Any:
            statuses.append(status)
            return start(status, *rest)

        answer = self._app(environ, noted)
        if statuses[-1].startswith(str(HTTPStatus.OK.value)):
            written = [_now(*each) for each in _written(operation, body)]
            if written:
                self._journal.append(written)
        return answer


def _written(operation: str, body: bytes) -> Iterator[tuple[str, Any]]:
    """The table and the keys or the item of everything the request may have changed."""
    match operation:
        case "PutItem" | "UpdateItem" | "DeleteItem":
            request = json.loads(body)
            yield request["TableName"], request.get("Key") or request["Item"]
        case "TransactWriteItems":
            for action in json.loads(body)["TransactItems"]:
                for kind, request in action.items():
                    if kind != "ConditionCheck":
                        yield request["TableName"], request.get("Key") or request["Item"]
        case "BatchWriteItem":
            for table, actions in json.loads(body)["RequestItems"].items():
                for action in actions:
                    for request in action.values():
                        yield table, request.get("Key") or request["Item"]


def _now(table: str, keys: Any) -> Change:
    found = _backend().get_item(table, {"pk": keys["pk"], "sk": keys["sk"]})
    item = found.to_json()["Attributes"] if found else None
    return keys["pk"]["S"], keys["sk"]["S"], item


def _backend() -> Any:
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.dynamodb.models import dynamodb_backends

    return dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION]
