"""Providers: tables of providers.toml, which explains the fields."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import Field

from losi.catalogue.row import Flag, Name, Names, Row, Text, Url, Variable

Format = Literal["openai", "anthropic", "bedrock", "sandbox"]
#: The formats in which embeddings can be asked for.
EMBEDDING_FORMATS = ("openai", "sandbox")


class Provider(Row):
    """One provider as data; of its secrets it has the names."""

    id: Name
    name: Text
    format: Annotated[Format, Field(description='"openai", "anthropic", "bedrock" or "sandbox"')]
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
    refused_message_fields: Names = frozenset()
    unsupported_parameters: Names = frozenset()

    @property
    def credentials(self) -> str:
        """Where its credentials are, for the operator's log."""
        return self.key_variable or "the function's IAM role"


def parse_providers(text: str) -> dict[str, Provider]:
    rows: dict[str, dict[str, Any]] = tomllib.loads(text)
    return {name: Provider.model_validate({"id": name, **row}) for name, row in rows.items()}


@cache
def providers() -> dict[str, Provider]:
    """All providers by the name that routes in models.toml use."""
    return parse_providers(files("losi.catalogue").joinpath("providers.toml").read_text("utf-8"))
