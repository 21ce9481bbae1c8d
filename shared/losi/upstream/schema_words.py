"""Moves keywords that a provider does not support into the schema's description. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from losi.wire import JsonSchema


def described(schema: JsonSchema, more: Mapping[str, object]) -> JsonSchema:
    """The schema with the unsupported keywords at the end of its description."""
    if not more:
        return schema
    note = ", ".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in more.items()
    )
    before = f"{schema['description']}\n\n" if schema.get("description") else ""
    return {**schema, "description": f"{before}{{{note}}}"}
