"""Documents where Converse takes them: beside text, not beside results, five at most. Pure.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from losi.upstream.conversation import invalid

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime.type_defs import (
        ContentBlockTypeDef,
        ToolResultBlockTypeDef,
        ToolResultContentBlockTypeDef,
    )

MOST_DOCUMENTS = 5
#: Converse wants a text beside documents; OpenAI takes a file alone.
_BESIDE: ContentBlockTypeDef = {"text": "See the attached document."}


def fit_documents(turns: list[list[ContentBlockTypeDef]], *, claude: bool) -> None:
    """Rewrites the content of each turn. Raises InvalidRequestError for more documents than one
    request may hold.
    """
    if sum("document" in block for blocks in turns for block in blocks) > MOST_DOCUMENTS:
        invalid(
            "messages",
            f"This model takes at most {MOST_DOCUMENTS} files in one request. Send fewer, or their "
            "text.",
        )
    for blocks in turns:
        results = [at for at, block in enumerate(blocks) if "toolResult" in block]
        documents = [block["document"] for block in blocks if "document" in block]
        if claude and results and documents:  # Claude takes them within a result, not beside one
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
