"""The request of POST /embeddings, https://platform.openai.com/docs/api-reference/embeddings."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import BaseModel, Field, ValidatorFunctionWrapHandler, field_validator

from losi.metering.estimate import text_tokens
from losi.validation import validated

if TYPE_CHECKING:
    from losi.wire import JsonObject
    from losi.wire.embeddings import Request

#: OpenAI's limits, https://platform.openai.com/docs/api-reference/embeddings/create#input
MAX_INPUTS = 2_048
MAX_TOKENS = 300_000
_FORM = (
    "'input' must be a text, an array of tokens (integers), or an array of "
    f"1 to {MAX_INPUTS:,} of either; none of them empty."
)


class EmbeddingRequest(BaseModel):
    model: str
    input: str | list[str] | list[int] | list[list[int]]
    dimensions: Annotated[int, Field(ge=1)] | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None

    @field_validator("input", mode="wrap")
    @classmethod
    def _texts_or_tokens(cls, value: Any, _: ValidatorFunctionWrapHandler) -> Any:
        """Looks at each item once; pydantic would try all four forms on every one."""
        if not _is_input(value) and not (
            isinstance(value, list)
            and 1 <= len(value) <= MAX_INPUTS
            and (all(map(_is_text, value)) or all(map(_is_tokens, value)))
        ):
            raise ValueError(_FORM)
        return value


@dataclass(frozen=True, slots=True)
class EmbeddingInput:
    """A validated request: `params` to read, `body` (the caller's JSON) to send on."""

    params: EmbeddingRequest
    body: "Request"

    @property
    def inputs(self) -> list[str] | list[list[int]]:
        """The inputs to embed; each gets one vector."""
        value: Any = self.params.input
        return [value] if _is_input(value) else value

    @property
    def input_tokens(self) -> int:
        """Estimated for texts, exact for tokens."""
        return sum(text_tokens(one) if isinstance(one, str) else len(one) for one in self.inputs)


def parse_embedding_request(body: "JsonObject") -> EmbeddingInput:
    """Validate the body. Raises InvalidRequestError (400) that names the wrong parameter."""
    params = validated(EmbeddingRequest, body)
    return EmbeddingInput(params, cast("Request", body))


def _is_input(value: Any) -> bool:
    return _is_text(value) or _is_tokens(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_tokens(value: Any) -> bool:
    # `type`, because True is an int to Python and no token
    return (
        isinstance(value, list)
        and 1 <= len(value) <= MAX_TOKENS
        and all(type(token) is int and token >= 0 for token in value)
    )
