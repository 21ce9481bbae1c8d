"""Providers: tables of providers.toml, which explains the fields."""

from collections.abc import Collection
from typing import Annotated, Literal, get_args

from pydantic import Field

from losi.catalogue.row import (
    Combinations,
    Count,
    Efforts,
    Flag,
    Name,
    Names,
    Regex,
    Row,
    Text,
    Url,
    Variable,
)

Format = Literal["openai", "openai-responses", "anthropic", "bedrock", "sandbox"]
#: OpenAI's own limit of `n`, and ours if each choice is a separate call.
MOST_CHOICES, MOST_CALLS = 128, 8
#: The formats that support embeddings.
EMBEDDING_FORMATS = ("openai", "sandbox")


class Provider(Row):
    """One provider as data; for its secrets only their names."""

    id: Name
    name: Text
    format: Annotated[Format, Field(description=f"one of {', '.join(get_args(Format))}")]
    base_url: Url | None = None
    base_url_variable: Variable | None = None
    region_variable: Variable | None = None
    key_variable: Variable | None = None
    key_header: Annotated[
        Literal["authorization", "api-key", "x-api-key"],
        Field(description='"authorization", "api-key" or "x-api-key"'),
    ] = "authorization"
    key_optional: Flag = False
    max_tokens_parameter: Annotated[
        Literal["max_tokens", "max_completion_tokens"],
        Field(description='"max_tokens" or "max_completion_tokens"'),
    ] = "max_tokens"
    stream_options: Flag = True
    developer_role: Flag = False
    native_n: Flag = True
    max_n: Count | None = None
    tools_tokens: Count = 0
    blank_stops: Flag = True
    empty_content: Flag = True
    own_fields_only: Flag = False
    strict_schemas: Annotated[Literal["any", "openai"], Field(description='"any" or "openai"')] = (
        "any"
    )
    message_fields: Names = frozenset()
    refused_message_fields: Names = frozenset()
    tool_call_ids: Regex | None = None
    unsigned_calls: Text | None = None
    max_temperature: Annotated[
        float, Field(strict=True, ge=0, le=2, description="a number from 0 to 2, without quotes")
    ] = 2.0
    efforts: Efforts | None = None
    parameters: Names | None = None
    unsupported_parameters: Names = frozenset()
    #: The same as a route's `refuses`, for all models of the provider.
    refuses: Combinations = frozenset()

    def unsupported(self, parameters: Collection[str]) -> frozenset[str]:
        """Those of `parameters` that the provider does not accept."""
        unknown = frozenset(parameters) - (self.parameters or frozenset(parameters))
        return unknown | self.unsupported_parameters.intersection(parameters)

    @property
    def most_choices(self) -> int:
        """The largest `n`. If a provider gives one choice a call, each choice costs its own
        prompt.
        """
        return self.max_n or (MOST_CHOICES if self.native_n else MOST_CALLS)

    @property
    def credentials(self) -> str:
        """Where its credentials come from, for the operator's log."""
        return self.key_variable or "the function's IAM role"


#: Answers test keys, and models for which `make run` has no credentials (docs/sandbox.md).
SANDBOX = Provider(id="sandbox", name="Losi sandbox", format="sandbox")
