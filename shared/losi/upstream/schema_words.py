"""What a schema cannot say to a provider, said in its description instead. Pure."""

import json

from losi.wire import Json


def told(schema: Json, more: Json) -> Json:
    """The schema with what it cannot say at the end of its description."""
    if not more:
        return schema
    said = ", ".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in more.items()
    )
    before = f"{schema['description']}\n\n" if schema.get("description") else ""
    return {**schema, "description": f"{before}{{{said}}}"}
