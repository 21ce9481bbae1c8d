"""Responses of this API: JSON by orjson, and errors in the one envelope."""

from typing import Any

import orjson
from starlette.responses import Response

from losi.dialects.openai import envelope
from losi.errors import LosiError
from losi.observe.request import failed


class JsonResponse(Response):
    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


def render(error: LosiError) -> JsonResponse:
    failed(error)
    return JsonResponse(envelope(error), status_code=error.status, headers=error.headers)
