"""Whether, and after which pause, the same is asked of a provider once more."""

import random

from losi.errors import Remedy, UpstreamError

ATTEMPTS = 2
BACKOFF_SECONDS = 0.25
#: A provider that asks for a longer pause than this is left for the next route.
LONGEST_BACKOFF_SECONDS = 5.0


def pause_before_another(error: UpstreamError, attempt: int) -> float | None:
    """Seconds, counted from attempt 0; None: the same is not asked again."""
    if attempt + 1 >= ATTEMPTS or error.remedy is not Remedy.SAME_ROUTE:
        return None
    pause = error.retry_after
    if pause is None:
        pause = BACKOFF_SECONDS * 2**attempt * random.uniform(0.5, 1.5)
    return None if pause > LONGEST_BACKOFF_SECONDS else pause
