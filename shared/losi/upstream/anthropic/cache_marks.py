"""Cache marks as Anthropic takes them: four at most, none outliving one before it. Pure.

https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

from collections.abc import Iterator

from losi.wire import Json

_MOST = 4


def fit_marks(request: Json) -> None:
    """Remove marks beyond four, the earliest first, as later ones cover what comes before them;
    and let a mark live no longer than those before it.
    """
    room = _MOST - ("cache_control" in request)
    marked = [block for block in _blocks(request) if "cache_control" in block]
    for block in marked[: max(0, len(marked) - room)]:
        del block["cache_control"]
    short = False
    for block in marked[-room:]:
        mark = block["cache_control"]
        if short and mark.get("ttl") == "1h":
            block["cache_control"] = {**mark, "ttl": "5m"}
        short = short or mark.get("ttl") != "1h"


def _blocks(request: Json) -> Iterator[Json]:
    """What may be marked, in the order that counts."""
    yield from request.get("tools") or ()
    yield from request.get("system") or ()
    for message in request["messages"]:
        yield from message["content"]
