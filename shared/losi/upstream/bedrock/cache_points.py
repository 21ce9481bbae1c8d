"""Marks of the prompt cache as Converse takes them: blocks of their own after what they mark. Pure.

https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from losi.upstream.cache_marks import MARK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from mypy_boto3_bedrock_runtime.type_defs import CachePointBlockTypeDef, ContentBlockTypeDef

    from losi.wire import JsonObject
    from losi.wire.chat import Message, Part


def cache_point(mark: object) -> CachePointBlockTypeDef:
    if isinstance(mark, dict) and mark.get("ttl") == "1h":
        return {"type": "default", "ttl": "1h"}
    return {"type": "default"}


def cache_points(marked: Message | Part) -> Iterator[ContentBlockTypeDef]:
    """A list with the block for the cache mark, or an empty one."""
    if (mark := marked.get(MARK)) is not None:
        yield {"cachePoint": cache_point(mark)}


def fit_cache_points(blocks: Any, *, claude: bool) -> None:
    """Remove cache points in forbidden places: first, after another, or after a text document. If
    the model is not Claude, remove all: other families accept them only in some places.

    `blocks` are the tools, the system prompt, or the content of one message.
    """
    before: JsonObject = {}
    kept = []
    for block in blocks:
        if "cachePoint" not in block or (claude and _may_follow(before)):
            kept.append(block)
            before = block
    blocks[:] = kept


def _may_follow(block: JsonObject) -> bool:
    document = block.get("document")
    if document is not None:
        return bool(document["format"] == "pdf")
    return bool(block) and not block.keys() & {"cachePoint", "reasoningContent"}
