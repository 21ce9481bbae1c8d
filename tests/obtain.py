"""What a test needs beyond Python: missing on a laptop it skips the test, in CI it fails it."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def skip_or_fail(reason: str) -> NoReturn:
    """Say what is missing and how to get it. CI can get it, so there it is a failure."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
