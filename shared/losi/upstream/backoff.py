"""Whether the same provider is asked once more, and after which pause."""

import random

from losi.errors import Remedy, UpstreamError

ATTEMPTS = 2
BACKOFF_SECONDS = 0.25
#: If a provider asks for a longer pause than this, the next route is tried instead.
LONGEST_BACKOFF_SECONDS = 5.0


def pause_before_another(error: UpstreamError, attempt: int) -> float | None:
    """The pause in seconds after attempt number `attempt` (from 0), or None if the same is not
    asked again.
    """
    if attempt + 1 >= ATTEMPTS or error.remedy is not Remedy.SAME_ROUTE:
        return None
    pause = error.retry_after
    if pause is None:
        pause = BACKOFF_SECONDS * 2**attempt * random.uniform(0.5, 1.5)
    return None if pause > LONGEST_BACKOFF_SECONDS else pause
