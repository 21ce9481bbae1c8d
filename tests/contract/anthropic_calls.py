"""A call of the Anthropic provider on a fake upstream, and the recorded answers to it."""

from typing import Any

from losi.catalogue.models import Route
from losi.upstream.anthropic.client import AnthropicProvider
from losi.upstream.provider import ProviderCall
from tests.contract.cassettes import Cassette, load
from tests.fake_upstream import FakeUpstream

ROUTE = Route(provider="anthropic", model="claude-sonnet-4-5")


def provider(upstream: FakeUpstream) -> AnthropicProvider:
    return AnthropicProvider("Anthropic", upstream.url, "sk-test")


def call(**body: Any) -> ProviderCall:
    request = {"model": ROUTE.model, "messages": [{"role": "user", "content": "Hi"}], **body}
    return ProviderCall(request, ROUTE, "req_1")


def cassette(name: str) -> Cassette:
    return load("anthropic", f"{name}.json")[0]
