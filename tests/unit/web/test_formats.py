"""Each wire format of the catalogue has its code."""

from __future__ import annotations

import pytest

from losi.upstream.registry import Settings
from losi.web.formats import EMBEDDING_FORMATS, FORMATS
from tests.catalogue import PROVIDERS

SETTINGS = Settings(base_url="https://api.test/v1", key="k", region="eu-west-1")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("openai", "OpenAIChat"),
        ("openai-responses", "OpenAIResponses"),
        ("anthropic", "AnthropicMessages"),
        ("bedrock", "BedrockConverse"),
        ("sandbox", "Sandbox"),
    ],
)
def test_who_speaks_a_format(name: str, kind: str) -> None:
    assert type(FORMATS[name](PROVIDERS["openai"], SETTINGS)).__name__ == kind


@pytest.mark.parametrize(
    ("name", "kind"), [("openai", "OpenAIEmbeddings"), ("sandbox", "SandboxEmbeddings")]
)
def test_who_makes_embeddings(name: str, kind: str) -> None:
    assert type(EMBEDDING_FORMATS[name](PROVIDERS["openai"], SETTINGS)).__name__ == kind
