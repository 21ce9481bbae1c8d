"""The console and the docs. Deployed, losi.aws.runtime serves `app`."""

from pathlib import Path
from typing import Any

from losi.web.site import Site

app = Site(Path(__file__).parent / "public")


def handler(event: Any, context: Any) -> dict[str, Any]:
    """For `sam local`; only there is the framework loaded."""
    from losi.aws.handler import Handler

    return Handler(app)(event, context)
