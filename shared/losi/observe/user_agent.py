"""Families of clients. The header itself is the caller's text, and is in no line."""

import re

#: The first match decides, because SDKs also name what they are built on.
_FAMILIES = {
    "openai-python": r"OpenAI/Python",
    "openai-node": r"OpenAI/JS",
    "anthropic-python": r"Anthropic/Python",
    "anthropic-node": r"Anthropic/JS",
    "codex": r"^codex",
    "curl": r"^curl/",
    "python": r"python-requests|python-httpx|aiohttp|^Python",
    "node": r"^(node|undici|axios)",
    "go": r"^Go-http-client",
    "browser": r"^Mozilla/",
}
_PATTERNS = {family: re.compile(text, re.IGNORECASE) for family, text in _FAMILIES.items()}
OTHER, NONE = "other", "none"
FAMILIES = (*_FAMILIES, OTHER, NONE)


def family(user_agent: str) -> str:
    """One of FAMILIES."""
    if not user_agent:
        return NONE
    shown = user_agent[:200]
    return next((name for name, found in _PATTERNS.items() if found.search(shown)), OTHER)
