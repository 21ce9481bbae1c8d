"""The wire formats that upstreams speak, and the code for each.

Imported on first use: a cold start loads the code of the provider it calls and no other.
"""

from losi.catalogue.providers import Provider
from losi.upstream.format import Embedder, Format
from losi.upstream.registry import Factory, Settings


def _openai(provider: Provider, settings: Settings) -> Format:
    from losi.upstream.openai.chat import OpenAIChat

    return OpenAIChat(provider, settings)


def _openai_responses(provider: Provider, settings: Settings) -> Format:
    from losi.upstream.openai.responses.client import OpenAIResponses

    return OpenAIResponses(provider, settings)


def _anthropic(provider: Provider, settings: Settings) -> Format:
    from losi.upstream.anthropic.client import AnthropicMessages

    return AnthropicMessages(provider, settings)


def _bedrock(_: Provider, settings: Settings) -> Format:
    from losi.upstream.bedrock.client import BedrockConverse, bedrock_client

    return BedrockConverse(lambda: bedrock_client(settings.region))


def _sandbox(_: Provider, __: Settings) -> Format:
    from losi.sandbox.format import Sandbox

    return Sandbox()


FORMATS: dict[str, Factory[Format]] = {
    "openai": _openai,
    "openai-responses": _openai_responses,
    "anthropic": _anthropic,
    "bedrock": _bedrock,
    "sandbox": _sandbox,
}


def _openai_embeddings(provider: Provider, settings: Settings) -> Embedder:
    from losi.upstream.openai.embeddings import OpenAIEmbeddings

    return OpenAIEmbeddings(provider, settings)


def _sandbox_embeddings(_: Provider, __: Settings) -> Embedder:
    from losi.sandbox.embeddings import SandboxEmbeddings

    return SandboxEmbeddings()


EMBEDDING_FORMATS: dict[str, Factory[Embedder]] = {
    "openai": _openai_embeddings,
    "sandbox": _sandbox_embeddings,
}
