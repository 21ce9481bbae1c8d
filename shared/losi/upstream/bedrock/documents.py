"""Moves documents to where Converse accepts them: with text, not beside tool results, at most five.
Pure.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from losi.upstream.conversation import decoded, invalid, named_text

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime.type_defs import (
        ContentBlockTypeDef,
        ToolResultBlockTypeDef,
        ToolResultContentBlockTypeDef,
    )

MOST_DOCUMENTS = 5
#: Converse requires a text beside documents; OpenAI also accepts only a file.
_BESIDE: ContentBlockTypeDef = {"text": "See the attached document."}
_TEXTS = ("csv", "html", "md", "txt")


def fit_documents(turns: list[list[ContentBlockTypeDef]], *, claude: bool) -> None:
    """Rewrite the content of each turn. Documents above the limit become text. Raises
    InvalidRequestError if they are not text documents.
    """
    surplus = sum("document" in block for blocks in turns for block in blocks) - MOST_DOCUMENTS
    for blocks in turns:
        for at, block in enumerate(blocks):
            if surplus > 0 and (text := _as_text(block)) is not None:
                blocks[at] = {"text": text}
                surplus -= 1
    if surplus > 0:
        invalid(
            "messages",
            f"This model takes at most {MOST_DOCUMENTS} files in one request that are no text. "
            "Send fewer, or their text.",
        )
    for blocks in turns:
        results = [at for at, block in enumerate(blocks) if "toolResult" in block]
        documents = [block["document"] for block in blocks if "document" in block]
        if claude and results and documents:  # Claude accepts them only inside a result
            last = blocks[results[-1]]["toolResult"]
            within: list[ToolResultContentBlockTypeDef] = [{"document": one} for one in documents]
            result: ToolResultBlockTypeDef = {
                "toolUseId": last["toolUseId"],
                "content": [*last["content"], *within],
            }
            blocks[results[-1]] = {"toolResult": result}
            blocks[:] = [block for block in blocks if "document" not in block]
        elif documents and not any("text" in block for block in blocks):
            blocks.append(_BESIDE)


def _as_text(block: ContentBlockTypeDef) -> str | None:
    document = block.get("document")
    if document is None or document.get("format") not in _TEXTS:
        return None
    data = document["source"].get("bytes")
    return (
        named_text(document["name"], decoded("messages", data)) if isinstance(data, bytes) else None
    )
