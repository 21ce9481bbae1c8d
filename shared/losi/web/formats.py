"""The wire formats that upstreams speak, and the code for each.

Imported on first use: a cold start loads the code of the provider it calls and no other.
"""

from losi.catalogue.providers import Vendor
from losi.upstream.provider import Provider
from losi.upstream.registry import Factory


def _openai(vendor: Vendor, base_url: str | None, key: str | None) -> Provider:
    from losi.upstream.openai.chat import OpenAICompatibleProvider

    return OpenAICompatibleProvider(vendor, base_url or "", key)


def _anthropic(vendor: Vendor, base_url: str | None, key: str | None) -> Provider:
    from losi.upstream.anthropic.client import AnthropicProvider

    return AnthropicProvider(vendor.name, base_url or "", key or "")


def _bedrock(vendor: Vendor, base_url: str | None, key: str | None) -> Provider:
    from losi.upstream.bedrock.client import BedrockProvider, bedrock_client

    return BedrockProvider(lambda: bedrock_client(key))


def _sandbox(vendor: Vendor, base_url: str | None, key: str | None) -> Provider:
    from losi.sandbox.provider import SandboxProvider

    return SandboxProvider()


FORMATS: dict[str, Factory] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "bedrock": _bedrock,
    "sandbox": _sandbox,
}
