"""Bodies of chat completion requests, and how they are refused."""

from typing import Any

import pytest

from losi.chat.request import parse_chat_request
from losi.errors import InvalidRequestError

USER = {"role": "user", "content": "Hi"}
IMAGE = {"type": "image_url", "image_url": {"url": "https://a/b", "detail": "low"}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [USER], **fields}


def body_of(*messages: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": list(messages)}


def refused(**fields: Any) -> tuple[str | None, str | None]:
    with pytest.raises(InvalidRequestError) as caught:
        parse_chat_request(body(**fields))
    return caught.value.param, caught.value.code
