"""OpenAI's embeddings, request and answer, as types alone.

https://platform.openai.com/docs/api-reference/embeddings
"""

from typing import Literal, Required, TypeAlias, TypedDict

#: One text, one text in tokens, or several of either.
Input: TypeAlias = str | list[str] | list[int] | list[list[int]]


class Request(TypedDict, total=False):
    model: Required[str]
    input: Required[Input]
    dimensions: int | None
    encoding_format: str | None
    user: str | None


class Embedding(TypedDict):
    object: Literal["embedding"]
    index: int
    #: Floats, or the bytes of them as base64.
    embedding: list[float] | str


class Usage(TypedDict):
    prompt_tokens: int
    total_tokens: int


class Embeddings(TypedDict):
    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: Usage
