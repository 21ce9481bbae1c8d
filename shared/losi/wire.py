"""JSON as it comes off the wire."""

from typing import Any

#: An object whose shape nobody has checked yet, or that passes through as it is.
Json = dict[str, Any]
