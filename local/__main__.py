"""`make run`: every endpoint on one uvicorn, an embedded DynamoDB, a demo account, the sandbox."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from contextlib import closing
from datetime import UTC, datetime
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from local.banner import banner
from local.data import DataFolder, FolderUnusableError, open_data
from local.demo import account_of, ensure_demo_key, write_demo_env
from local.demo_usage import seed
from local.journal import DamagedJournalError
from local.listening import NoPortError, chosen_port
from local.protocol import Protocol
from local.requests_log import RequestsFile, to_the_terminal
from local.sign_in import add_demo_sign_in
from local.site.build import ensure_site
from local.stopping import EndsWithTheServer, Server
from local.store import StoreUnusableError, open_store
from losi import garbage
from losi.catalogue.loader import CatalogueError, load
from losi.catalogue.models import Catalogue
from losi.config import read_config
from losi.logs import set_levels
from losi.observe import lines
from losi.web.app import create_app
from losi.web.credentials import parse_key
from losi.web.dependencies import Services
from losi.web.endpoints import FUNCTIONS
from losi.web.site import Site

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

HOST = "127.0.0.1"


def main() -> int:
    try:
        port = chosen_port()
    except NoPortError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        catalogue = load()
    except CatalogueError as error:
        print(error, file=sys.stderr)
        return 1
    listener = _listen(port)
    if listener is None:
        return 1
    # uvicorn shuts down gracefully, then raises the signal again: end well, not by the signal
    signal.signal(signal.SIGTERM, _stop)
    try:
        with closing(open_data(port)) as data:
            serve(listener, data, catalogue)
    except (FolderUnusableError, DamagedJournalError, StoreUnusableError) as error:
        print(error, file=sys.stderr)
        return 1
    print("\nStopped.")
    return 0


def serve(listener: socket.socket, data: DataFolder, catalogue: Catalogue) -> None:
    """Serve until the process is told to stop. Raises DamagedJournalError or StoreUnusableError."""
    port = listener.getsockname()[1]
    os.environ.setdefault("LOSI_SANDBOX_FALLBACK", "1")
    os.environ.setdefault("LOSI_DATA", str(data.path))
    os.environ.setdefault("LOSI_SETTLEMENTS_FOLDER", str(data.settlements))
    os.environ.setdefault("LOSI_SUPPORT", "support@losi.local")
    endpoint = open_store(data)
    services = Services(read_config())  # only now: the environment is as it should be
    services.catalogue = catalogue

    base_url = f"http://{HOST}:{port}/api/v1"
    key = ensure_demo_key(services.accounts, data.demo_env)
    write_demo_env(data, base_url, key)
    if os.environ.get("DEMO_USAGE") == "1":
        principal = services.authenticator.authenticate(parse_key(key))
        seed(principal, services, datetime.now(UTC).date())
    app = create_app(*FUNCTIONS, services=services)
    add_demo_sign_in(app, account_of(key))
    logging.basicConfig(level=logging.INFO, format="%(levelname)-7s %(name)s: %(message)s")
    set_levels("INFO")
    logging.getLogger("uvicorn.error").addFilter(_is_no_cut_stream)
    served = EndsWithTheServer(whole(app, Site(ensure_site(), services.config.support)))
    with (
        closing(RequestsFile(data.requests)) as file,
        data.reachable(base_url, endpoint, services.config.table),
    ):
        lines.write_to(file, to_the_terminal)
        garbage.look_less_often()
        print(banner(base_url, key, services, data.path), flush=True)  # who reads it may call
        _run(served, listener)


def whole(api: ASGIApp, site: Site) -> ASGIApp:
    """The API and the site at one address, with the paths that API Gateway gives them."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/api/"):
            await api(scope, receive, send)
        else:
            await site(scope, receive, send)

    return app


def _is_no_cut_stream(record: logging.LogRecord) -> bool:
    """Hides the tracebacks of streams that a shutdown cuts."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def _listen(port: int) -> socket.socket | None:
    """Listen before the banner is printed, so that a busy port is reported first."""
    # asyncio sends small writes at once only on sockets that say they are TCP: without `proto`,
    # every answer would be 40 ms late (Nagle's algorithm and delayed acknowledgements)
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        print(
            f"Port {port} cannot be used: {error.strerror}. Stop what runs there, or choose "
            f"another: PORT={port + 1} make run",
            file=sys.stderr,
        )
        return None
    return listener


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _run(app: ASGIApp, listener: socket.socket) -> None:
    config = uvicorn.Config(
        app,
        loop="uvloop",  # an event costs a sixth less than on asyncio's own loop
        http=Protocol,
        log_level="warning",
        log_config=None,
        lifespan="off",
        proxy_headers=False,  # nothing stands in front of it that could be believed
        timeout_graceful_shutdown=5,
        timeout_keep_alive=75,  # a short limit would close connections while they are in use
    )
    try:
        Server(config).run(sockets=[listener])
    except (KeyboardInterrupt, SystemExit):
        return


if __name__ == "__main__":
    sys.exit(main())
