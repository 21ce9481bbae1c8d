"""An app with SnapStart hooks that say when they run; LOSI_TEST_HOOK names one that fails."""

import os
from typing import TYPE_CHECKING

import snapshot_restore_py

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


def hook(name: str) -> None:
    os.write(1, f"{name}\n".encode())
    if os.environ.get("LOSI_TEST_HOOK") == name:
        raise RuntimeError(name)


snapshot_restore_py.register_before_snapshot(hook, "before 1")
snapshot_restore_py.register_before_snapshot(hook, "before 2")
snapshot_restore_py.register_after_restore(hook, "after 1")
snapshot_restore_py.register_after_restore(hook, "after 2")


async def handler(scope: "Scope", receive: "Receive", send: "Send") -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"restored"})
