"""A call of the Anthropic provider on a fake upstream, and the recorded answers to it."""

from typing import Any

from losi.catalogue.models import Route
from losi.upstream.anthropic import shapes
from losi.upstream.anthropic.client import AnthropicMessages
from losi.upstream.anthropic.stream import StreamState
from losi.upstream.format import UpstreamCall
from losi.upstream.registry import Settings
from tests.catalogue import PROVIDERS
from tests.contract.cassettes import Cassette, load
from tests.fake_upstream import FakeUpstream
from tests.loose import Json, loose

ROUTE = Route(provider=PROVIDERS["anthropic"], model="claude-sonnet-4-5")


def provider(upstream: FakeUpstream) -> AnthropicMessages:
    return AnthropicMessages(PROVIDERS["anthropic"], Settings(upstream.url, "sk-test"))


def call(**body: Any) -> UpstreamCall:
    request = {"model": ROUTE.model, "messages": [{"role": "user", "content": "Hi"}], **body}
    return UpstreamCall(loose(request), ROUTE, "req_1")


def cassette(name: str) -> Cassette:
    return load("anthropic", f"{name}.json")[0]


def fed(state: StreamState, event: Json) -> list[Json]:
    """What an event, as it comes off the wire, makes of a stream."""
    known = shapes.event(event)
    return state.feed(known) if known else []
