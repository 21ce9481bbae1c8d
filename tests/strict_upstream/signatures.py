"""Signatures of what a model thought: the double gives them out, and knows its own again.

A signature holds what vendors bind it to, hashed: the text, its place in the message, the model,
and on models that are bound to the conversation (A62) all that stood before it.
"""

import base64
import hashlib
import json
from typing import Any


def digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def sign(thought: str, place: int, model: str, before: Any = None) -> str:
    parts = ["strict", digest(thought), str(place), model, digest(before)]
    return base64.b64encode("|".join(parts).encode()).decode()


def opened(signature: str) -> list[str] | None:
    """digest of the text, place, model, digest of what stood before; None if it is not ours."""
    try:
        parts = base64.b64decode(signature, validate=True).decode().split("|")
    except ValueError:
        return None
    return parts[1:] if len(parts) == 5 and parts[0] == "strict" else None


def is_ours(signature: str, model: str) -> bool:
    parts = opened(signature)
    return parts is not None and parts[2] == model
