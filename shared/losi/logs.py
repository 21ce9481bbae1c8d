"""How much is logged. Prompts, keys and credentials are never logged, at any level."""

import logging
import re
from typing import Any

#: At DEBUG these log whole requests, with names, hashes and provider credentials; at INFO a line
#: for every call.
CHATTY_LIBRARIES = ["boto3", "botocore", "httpcore", "httpx"]

#: A key, or enough of one to guess it; not the public ids that also begin with `losi-`.
_KEY = re.compile(r"(losi-(?:test-)?)[0-9A-Za-z]{20,}")
MASKED = r"\1********"


def set_levels(level: str) -> None:
    """Called once by what starts a process. Lambda sets the level of the root logger: WARNING at
    first, and whatever the template's LogLevel says, for the libraries too.
    """
    logging.getLogger("losi").setLevel(level)
    for library in CHATTY_LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)
    mask_keys()


def mask_keys() -> None:
    """From now on no log line of this process contains an API key, whoever writes it: a caller who
    puts a key into a URL would find it in the lines of servers and libraries.
    """
    make = logging.getLogRecordFactory()
    if getattr(make, "masks_keys", False):
        return

    def masked(*values: Any, **named: Any) -> logging.LogRecord:
        record = make(*values, **named)
        try:
            text = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit: the handler will say so
            return record
        if _KEY.search(text):
            record.msg, record.args = _KEY.sub(MASKED, text), ()
        return record

    masked.masks_keys = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(masked)
