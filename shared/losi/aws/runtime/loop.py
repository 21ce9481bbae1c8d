"""The process: load the app, take part in SnapStart, then serve one invocation after another."""

import asyncio
import importlib
import os
import random
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

from mangum import Mangum

from losi.aws.runtime import logs
from losi.aws.runtime.event import MalformedEventError
from losi.aws.runtime.exchange import serve
from losi.aws.runtime.logs import error_type, logger
from losi.aws.runtime.runtime_api import LambdaContext, RuntimeApi
from losi.config import Config, read_config

if TYPE_CHECKING:
    from starlette.types import ASGIApp

Hook = tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]

# Exit codes of Lambda's own Python runtime
INIT_FAILED, BEFORE_SNAPSHOT_FAILED, AFTER_RESTORE_FAILED = 1, 64, 65


class Shutdown:
    """SIGTERM ends an idle runtime at once, and a busy one after its invocation."""

    def __init__(self) -> None:
        self.requested = False
        self.idle = True
        signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self.requested = True
        if self.idle:
            raise SystemExit(0)


def main() -> None:
    shutdown = Shutdown()
    formatter = logs.configure()
    config = read_config()
    api = RuntimeApi(config)
    loop = asyncio.new_event_loop()  # one for the life of the process: apps keep connections on it
    asyncio.set_event_loop(loop)
    app = _initialise(api, config)
    while not shutdown.requested:
        shutdown.idle = True
        context, payload = api.next_invocation()
        shutdown.idle = False
        formatter.request_id = context.aws_request_id
        _set_trace_id(context)
        try:
            loop.run_until_complete(serve(app, api.address, context, payload))
        except MalformedEventError as error:
            logger.error("refused an event: %s", error)
            path = f"/invocation/{context.aws_request_id}/error"
            api.report_error(path, error_type(error), str(error))


def load_app(handler: str, folder: str) -> "ASGIApp":
    """`module.attribute` names an ASGI app, or a Mangum handler that wraps one."""
    module, _, attribute = handler.rpartition(".")
    if not module:
        raise ValueError(f"_HANDLER must be module.attribute, not {handler!r}")
    sys.path.insert(0, folder)
    target = getattr(importlib.import_module(module.replace("/", ".")), attribute)
    app: ASGIApp = target.app if isinstance(target, Mangum) else target
    return app


def _initialise(api: RuntimeApi, config: Config) -> "ASGIApp":
    try:
        app = load_app(config.handler, config.task_root)
    except Exception as error:
        # No request has been seen yet, so the message cannot quote one: it may be shown.
        logger.error("the app cannot be imported: %s", error, exc_info=error)
        api.report_error("/init/error", f"Runtime.{error_type(error)}", str(error))
        raise SystemExit(INIT_FAILED) from None
    if config.takes_snapshot:
        _take_snapshot(api)
    return app


def _take_snapshot(api: RuntimeApi) -> None:
    before, after = _snapshot_hooks()
    try:
        _run_hooks(list(reversed(before)))
    except Exception as error:
        logger.error("a before_snapshot hook failed: %s", error, exc_info=error)
        api.report_error("/init/error", "Runtime.BeforeSnapshotError", error_type(error))
        raise SystemExit(BEFORE_SNAPSHOT_FAILED) from None
    api.wait_for_restore()
    random.seed()  # every copy has the snapshot's generator, and jitter must differ
    try:
        _run_hooks(after)
    except Exception as error:
        logger.error("an after_restore hook failed: %s", error, exc_info=error)
        api.report_error("/restore/error", "Runtime.AfterRestoreError", error_type(error))
        raise SystemExit(AFTER_RESTORE_FAILED) from None


def _snapshot_hooks() -> tuple[list[Hook], list[Hook]]:
    try:
        import snapshot_restore_py as hooks
    except ImportError:  # only Lambda ships it, and apps without hooks do not need it
        return [], []
    return hooks.get_before_snapshot(), hooks.get_after_restore()


def _run_hooks(hooks: list[Hook]) -> None:
    for function, arguments, keywords in hooks:
        function(*arguments, **keywords)


def _set_trace_id(context: LambdaContext) -> None:
    """X-Ray's SDK reads the current trace from here."""
    if context.trace_id:
        os.environ["_X_AMZN_TRACE_ID"] = context.trace_id
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
