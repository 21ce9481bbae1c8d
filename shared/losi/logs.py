"""How much is logged. Prompts, keys and credentials never are, at any level."""

import logging

#: At DEBUG these write whole requests, with names, hashes and provider credentials; at INFO a line
#: for every call.
CHATTY_LIBRARIES = ["boto3", "botocore", "httpcore", "httpx"]


def set_levels(level: str) -> None:
    """Called once by what starts a process. Lambda sets the level of the root logger: WARNING at
    first, and whatever the template's LogLevel says, for the libraries too.
    """
    logging.getLogger("losi").setLevel(level)
    for library in CHATTY_LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)
