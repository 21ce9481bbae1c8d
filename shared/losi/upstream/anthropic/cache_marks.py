"""Cache marks as Anthropic takes them: four at most, none outliving one before it. Pure.

https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from anthropic.types import CacheControlEphemeralParam

_MOST = 4


class Markable(TypedDict, total=False):
    """A tool, or a content block of most kinds."""

    cache_control: CacheControlEphemeralParam | None


def fit_marks(blocks: Iterable[Markable], *, automatic: bool) -> None:
    """Remove marks beyond four, the earliest first, as later ones cover what comes before them;
    and let a mark live no longer than those before it.

    `blocks` in the order that counts: tools, system, messages. With `automatic`, Anthropic sets
    one mark of its own.
    """
    room = _MOST - automatic
    marked = [block for block in blocks if block.get("cache_control")]
    for block in marked[: max(0, len(marked) - room)]:
        del block["cache_control"]
    short = False
    for block in marked[-room:]:
        mark = block["cache_control"]
        if mark is None:
            continue
        if short and mark.get("ttl") == "1h":
            block["cache_control"] = {**mark, "ttl": "5m"}
        short = short or mark.get("ttl") != "1h"
