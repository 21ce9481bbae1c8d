"""What clients ask of OpenAI is answered on every route alone; left.toml holds what is not yet.

The upstream refuses what vendors refuse (tests/strict_upstream), so a request that is sent in a
form that a vendor would not take fails here.
"""

import tomllib
from pathlib import Path

import pytest

from losi.config import read_config
from losi.upstream.registry import Registry
from losi.upstream.routing import ChatRouter
from losi.web.formats import FORMATS
from tests.contract.conformance.asks import ASKS, FORMATS_ASKED, TOOLS
from tests.contract.conformance.parts import USER
from tests.contract.conformance.world import Alone, alone, environment, refused
from tests.strict_upstream import StrictUpstream

#: By route, by ask: who refuses it. Nothing may be missing here, and nothing be here in vain.
LEFT = tomllib.loads((Path(__file__).parent / "left.toml").read_text("utf-8"))
#: Asked as streams, too.
STREAMED = {*TOOLS, *FORMATS_ASKED}
ROUTES = list(alone())


async def refusals(one: Alone) -> dict[str, str]:
    found: dict[str, str] = {}
    async with StrictUpstream() as upstream:
        with pytest.MonkeyPatch.context() as environ:
            for name, value in environment(upstream).items():
                environ.setenv(name, value)
            router = ChatRouter(Registry(FORMATS, read_config()))
            for name, asked in ASKS.items():
                body = {"messages": [USER], **asked}
                for stream in (False, True) if name in STREAMED else (False,):
                    rule = await refused(router, upstream, one, body, stream=stream)
                    if rule is not None:
                        found[name] = rule
    return found


@pytest.mark.parametrize("one", ROUTES, ids=str)
async def test_what_is_asked_is_answered(one: Alone) -> None:
    assert await refusals(one) == LEFT.get(str(one), {})


def test_what_is_left_is_of_a_route() -> None:
    assert LEFT.keys() <= {str(one) for one in ROUTES}
