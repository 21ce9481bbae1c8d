"""The embedded DynamoDB of `make run`: moto's server, in a thread of this process."""

import os
import threading

#: moto takes any; a process that has real ones must not send them to a local server.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
}


def start_embedded(host: str = "127.0.0.1") -> str:
    """Start it on a free port and return its URL. Its data lives as long as the process.

    Single-threaded on purpose: threaded, moto loses concurrent updates.
    """
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class QuietHandler(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: object) -> None:
            """Its access log would drown the banner."""

    os.environ.update(CREDENTIALS)
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server(host, 0, app, threaded=False, request_handler=QuietHandler)
    server.socket.listen(1024)  # werkzeug's own 128 would drop calls of many requests at once
    threading.Thread(target=server.serve_forever, name="dynamodb", daemon=True).start()
    return f"http://127.0.0.1:{server.port}"
