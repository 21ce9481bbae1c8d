"""Documents where Converse takes them: beside text, not beside results, five at most. Pure.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html
"""

from losi.upstream.conversation import invalid
from losi.wire import Json

MOST_DOCUMENTS = 5
#: Converse wants a text beside documents; OpenAI takes a file alone.
_BESIDE = {"text": "See the attached document."}


def fit_documents(messages: list[Json], *, claude: bool) -> None:
    """Raises InvalidRequestError for more documents than one request may hold."""
    if sum("document" in block for m in messages for block in m["content"]) > MOST_DOCUMENTS:
        invalid(
            "messages",
            f"This model takes at most {MOST_DOCUMENTS} files in one request. Send fewer, or their "
            "text.",
        )
    for message in messages:
        blocks = message["content"]
        results = [block["toolResult"] for block in blocks if "toolResult" in block]
        documents = [block for block in blocks if "document" in block]
        if claude and results and documents:  # Claude takes them within a result, not beside one
            results[-1]["content"] += documents
            message["content"] = [block for block in blocks if "document" not in block]
        elif documents and not any("text" in block for block in blocks):
            message["content"] = [*blocks, _BESIDE]
