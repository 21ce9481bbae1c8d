"""The docs: guides in Markdown, and the reference made from docs/openapi.json."""

from pathlib import Path


def docs_documents(guides: Path, openapi: Path, assets: str) -> dict[str, str]:
    return {}
