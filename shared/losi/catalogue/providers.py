"""Providers: who answers requests, as rows of providers.toml."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Provider(BaseModel):
    """One provider as data; the fields are explained in providers.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    name: str
    format: Literal["openai", "anthropic", "bedrock", "sandbox"]
    base_url: str | None = None
    base_url_variable: str | None = None
    region_variable: str | None = None
    key_variable: str | None = None
    key_header: Literal["authorization", "api-key", "x-api-key"] = "authorization"
    key_optional: bool = False
    max_tokens_parameter: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    stream_options: bool = True
    developer_role: bool = False
    native_n: bool = True
    refused_message_fields: frozenset[str] = frozenset()
    unsupported_parameters: frozenset[str] = frozenset()

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
