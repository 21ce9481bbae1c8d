"""A call of the Anthropic provider on a fake upstream, and the recorded answers to it."""

from typing import Any

from losi.catalogue.models import Route
from losi.upstream.anthropic.client import AnthropicMessages
from losi.upstream.format import UpstreamCall
from losi.upstream.registry import Settings
from tests.catalogue import PROVIDERS
from tests.contract.cassettes import Cassette, load
from tests.fake_upstream import FakeUpstream

ROUTE = Route(provider=PROVIDERS["anthropic"], model="claude-sonnet-4-5")


def provider(upstream: FakeUpstream) -> AnthropicMessages:
    return AnthropicMessages(PROVIDERS["anthropic"], Settings(upstream.url, "sk-test"))


def call(**body: Any) -> UpstreamCall:
    request = {"model": ROUTE.model, "messages": [{"role": "user", "content": "Hi"}], **body}
    return UpstreamCall(request, ROUTE, "req_1")


def cassette(name: str) -> Cassette:
    return load("anthropic", f"{name}.json")[0]
