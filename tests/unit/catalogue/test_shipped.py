"""The shipped data: right by the loader, and what the public documentation of the API promises."""

import pytest

from losi.catalogue.loader import SHIPPED, load
from losi.catalogue.models import Catalogue, Route
from losi.upstream.format import UpstreamCall
from losi.upstream.registry import Settings
from losi.web.formats import FORMATS
from tests.loose import loose

#: The documentation's models and features.
DOCUMENTED = {
    "gpt-4o": {"vision", "tools"},
    "gpt-4o-mini": {"tools"},
    "gpt-3.5-turbo": {"tools"},
    "losi-omega": {"tools", "reasoning"},
    "claude-3.5-sonnet": {"vision", "tools"},
}


@pytest.fixture(scope="module")
def shipped() -> Catalogue:
    return load(SHIPPED)


def test_every_documented_model_has_the_documented_features(shipped: Catalogue) -> None:
    for name, features in DOCUMENTED.items():
        model = shipped.models[name]
        assert model.kind == "chat"
        assert features <= model.features
        assert model.prices.input > 0 and model.prices.output > 0


def test_every_documented_plan_is_there(shipped: Catalogue) -> None:
    assert {"free", "plus", "pro", "ultra"} <= shipped.plans.keys()


def test_codes_that_begin_with_x_are_left_to_operators(shipped: Catalogue) -> None:
    assert not [name for name in DOCUMENTED if shipped.models[name].code.startswith("x")]


def test_upstreams_that_are_silent_for_minutes_are_waited_for(shipped: Catalogue) -> None:
    for model in (shipped.models[name] for name in DOCUMENTED):
        for route in model.routes:
            # ten milliseconds a token: what Claude took for a tool argument without a word
            assert route.chunk_timeout >= model.max_output_tokens * 0.010
            assert route.first_chunk_timeout >= (300 if "reasoning" in model.features else 120)


def test_no_provider_is_said_to_take_an_n_that_its_format_cannot_say(shipped: Catalogue) -> None:
    """The row alone decides whether `n` is sent, what is held for it and what it costs."""
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "n": 2}
    for provider in shipped.providers.values():
        upstream = FORMATS[provider.format](provider, Settings("http://127.0.0.1:1", "k", "r"))
        call = UpstreamCall(loose(body), Route(provider=provider, model="m"), "req_1")
        assert not (provider.native_n and "n" in upstream.prepare(call).left_out)
