"""boto3, at a third of what it costs under coverage. `tests/conftest.py` imports it.

Nothing that it answers changes: what is read from files is read once, and nobody traces code that
is not ours.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import botocore.session
from botocore.client import BaseClient


def untraced(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which calls nothing of ours, while coverage looks away: Python 3.11 runs traced
    code at half its speed, also code of which coverage wants to know nothing.
    """

    @wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        tracer = sys.gettrace()
        sys.settrace(None)
        try:
            return function(*given, **named)
        finally:
            sys.settrace(tracer)
            _resume()

    return call


def _resume() -> None:
    """A tracer is at work again from the next call on: this one."""


def _quicker(owner: Any, name: str, made: Callable[[Any], Any]) -> None:
    setattr(owner, name, made(getattr(owner, name)))


# descriptions of services, megabytes of JSON, which each session reads anew
_quicker(botocore.session, "create_loader", cache)
_quicker(botocore.session.Session, "__init__", untraced)
_quicker(botocore.session.Session, "create_client", untraced)
_quicker(BaseClient, "_make_api_call", untraced)
