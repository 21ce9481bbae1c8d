"""The Lambda handler of the buffered functions: Mangum, which calls the ASGI app."""

import base64
import re
from typing import TYPE_CHECKING, Any

from mangum import Mangum

from losi.aws.base_path import own_path
from losi.config import read_config
from losi.logs import set_levels
from losi.observe import lines

if TYPE_CHECKING:
    from mangum.types import ASGI


_HOST = re.compile(r"[\w.-]+(:\d{1,5})?", re.ASCII)


class Handler(Mangum):
    """Mangum, with two additions: it removes a domain's base path from paths, and it lets the app
    refuse a body that only claims to be base64. Mangum itself would fail on that, and API Gateway
    would answer 502 for the client's mistake.
    """

    def __init__(self, app: "ASGI") -> None:
        super().__init__(app, lifespan="off")
        set_levels(read_config().log_level)
        lines.write_to(lines.to_standard_output)

    def __call__(self, event: Any, context: Any) -> dict[str, Any]:
        event = {**event, "path": own_path(event)}
        if event.get("isBase64Encoded") and not _is_base64(event.get("body") or ""):
            event = {**event, "isBase64Encoded": False}
        event = _without_odd_host(event)
        return super().__call__(event, context)


def _without_odd_host(event: dict[str, Any]) -> dict[str, Any]:
    """Mangum fails on a Host header other than a name with or without a port; nothing here needs
    one.
    """
    kept = dict(event)
    for field in ("headers", "multiValueHeaders"):
        values = event.get(field) or {}
        odd = [
            name
            for name, value in values.items()
            if name.lower() == "host" and not _HOST.fullmatch(_text(value))
        ]
        kept[field] = {name: value for name, value in values.items() if name not in odd}
    return kept


def _text(value: Any) -> str:
    return str(value[-1]) if isinstance(value, list) and value else str(value)


def _is_base64(body: str) -> bool:
    try:
        base64.b64decode(body, validate=True)
    except ValueError:
        return False
    return True
