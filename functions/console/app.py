"""The console and the docs. Deployed, losi.aws.runtime serves `app`."""

from pathlib import Path
from typing import Any

from losi.config import read_config
from losi.web.site import Site

app = Site(Path(__file__).parent / "public", read_config().support)


def handler(event: Any, context: Any) -> dict[str, Any]:
    from losi.aws.handler import Handler  # `sam local` alone loads the framework

    return Handler(app)(event, context)
