"""The event loops that unit tests run on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Function
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests run on asyncio's own loop, or on each that their module names in LOOPS."""
    known = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {name: known[name] for name in getattr(item.module, "LOOPS", ("asyncio",))}
