"""The process: load the app, take part in SnapStart, then serve what Lambda gives it."""

import asyncio
import importlib
import random
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from mangum import Mangum

from losi import garbage
from losi.aws.runtime import logs
from losi.aws.runtime.logs import error_type, logger
from losi.aws.runtime.pollers import Pollers
from losi.aws.runtime.runtime_api import RuntimeApi
from losi.config import Config, read_config

if TYPE_CHECKING:
    from starlette.types import ASGIApp

#: Runs one call of the Runtime API to its end, on the loop.
Run = Callable[[Coroutine[Any, Any, None]], None]
Hook = tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]

# Exit codes of Lambda's own Python runtime
INIT_FAILED, BEFORE_SNAPSHOT_FAILED, AFTER_RESTORE_FAILED = 1, 64, 65


def main() -> None:
    logs.configure()
    config = read_config()
    loop = asyncio.new_event_loop()  # one for the life of the process: apps keep connections on it
    asyncio.set_event_loop(loop)
    api = RuntimeApi(config)
    app = _initialise(api, config, loop.run_until_complete)
    garbage.look_less_often()
    loop.run_until_complete(Pollers(app, api, config.max_concurrency).run())


def load_app(handler: str, folder: str) -> "ASGIApp":
    """`module.attribute` names an ASGI app, or a Mangum handler that wraps one."""
    module, _, attribute = handler.rpartition(".")
    if not module:
        raise ValueError(f"_HANDLER must be module.attribute, not {handler!r}")
    sys.path.insert(0, folder)
    target = getattr(importlib.import_module(module.replace("/", ".")), attribute)
    app: ASGIApp = target.app if isinstance(target, Mangum) else target
    return app


def _initialise(api: RuntimeApi, config: Config, run: Run) -> "ASGIApp":
    try:
        app = load_app(config.handler, config.task_root)
    except Exception as error:
        # No request has been seen yet, so the message cannot quote one: it may be shown.
        logger.error("the app cannot be imported: %s", error, exc_info=error)
        run(api.report_error("/init/error", f"Runtime.{error_type(error)}", str(error)))
        raise SystemExit(INIT_FAILED) from None
    if config.takes_snapshot:
        _take_snapshot(api, run)
    return app


def _take_snapshot(api: RuntimeApi, run: Run) -> None:
    """Hooks run while the loop does not: some need one of their own."""
    before, after = _snapshot_hooks()
    try:
        _run_hooks(list(reversed(before)))
    except Exception as error:
        logger.error("a before_snapshot hook failed: %s", error, exc_info=error)
        run(api.report_error("/init/error", "Runtime.BeforeSnapshotError", error_type(error)))
        raise SystemExit(BEFORE_SNAPSHOT_FAILED) from None
    run(api.wait_for_restore())
    api.close()  # a connection made before the snapshot leads nowhere after it
    random.seed()  # every copy has the snapshot's generator, and jitter must differ
    try:
        _run_hooks(after)
    except Exception as error:
        logger.error("an after_restore hook failed: %s", error, exc_info=error)
        run(api.report_error("/restore/error", "Runtime.AfterRestoreError", error_type(error)))
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
