"""OpenAI's chat completions as a client reads them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import orjson

from losi.chat.completions import Completion, End
from losi.dialects.openai import DONE, error_event, event
from losi.wire import Json


def render(completion: Completion) -> bytes:
    return orjson.dumps(completion.body)


async def frame(
    events: AsyncGenerator[Json | End], *, include_usage: bool
) -> AsyncGenerator[bytes]:
    """Server-sent events: the chunks, the usage where it was asked for, and [DONE].

    A stream that failed ends with the error instead: a broken answer must not look whole.
    """
    async with aclosing(events):
        async for item in events:
            if not isinstance(item, End):
                yield event(item)
            elif item.failure is not None:
                yield error_event(item.failure)
            else:
                if include_usage:
                    yield event(item.usage_chunk)
                yield DONE
