"""losi-omega is answered by each of its providers alone: docs/conformance/losi-omega.md says how.

`make conformance` writes that page anew; here it is held against what happens.
"""

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from losi.catalogue.loader import SHIPPED, load
from losi.chat.needs import routes_for
from losi.chat.prepare import prepare
from losi.chat.request import parse_chat_request
from losi.config import read_config
from losi.errors import LosiError
from losi.metering.estimate import input_tokens
from losi.upstream.registry import Registry
from losi.upstream.routing import Answered, ChatRouter, Job
from losi.web.formats import FORMATS
from tests.contract.conformance.asks import ASKS
from tests.contract.conformance.parts import EFFORTS, USER
from tests.contract.conformance.world import environment
from tests.fake_format import chunks_of
from tests.loose import Json
from tests.strict_upstream import StrictUpstream

PAGE = Path(__file__).parents[3] / "docs" / "conformance" / "losi-omega.md"
OMEGA = load(SHIPPED).models["losi-omega"]
CONFIGURED: dict[str, set[str]] = {
    "OpenAI alone": {"openai", "openai-responses"},
    "Anthropic alone": {"anthropic"},
    "Bedrock alone": {"bedrock"},
    "all": {"openai", "openai-responses", "anthropic", "bedrock"},
}
CALLS = ("tools auto, called", "tools required", "tools named", "tools one at a time")
JSON_ASKED = ("json_object", "json_schema", "json_schema, items", "json_schema, recursive")
ROWS = (
    "plain",
    "tools auto",
    *CALLS,
    "tools none",
    "text",
    *JSON_ASKED,
    "tools and schema",
    "512 tools",
    *(f"effort {effort}" for effort in EFFORTS),
    *(f"effort {effort} with tools" for effort in EFFORTS),
    "effort high, required",
    "image",
    "n",
    "long prompt",
    "small max_tokens",
    "smallest max_tokens",
    "system first",
    "developer alone",
    "system in the middle",
    "system last",
    "temperature",
)
HEAD = """# What losi-omega answers, by whose keys are set

Written by `make conformance`: each request is sent as JSON and as a stream, to doubles that refuse
what the providers refuse (tests/strict_upstream). *Mapped* and *dropped* are what the headers
`x-losi-mapped` and `x-losi-dropped-params` name. *No text* would mean that thinking took all of the
output limit.

"""


async def answers(
    router: ChatRouter, providers: set[str], body: Json
) -> tuple[dict[int, Json], Answered]:
    """Of each choice its text, calls and finish reason, from JSON or chunks; and what answered."""
    request = parse_chat_request({"model": OMEGA.id, "messages": [USER], **body})
    routes = tuple(route for route in OMEGA.routes if route.provider.id in providers)
    model = OMEGA.model_copy(update={"routes": routes})
    able = routes_for(request, model, (), input_tokens(request.body), test_key=False)
    deadline = asyncio.get_running_loop().time() + 60
    job = Job(
        OMEGA.id,
        able,
        lambda route: prepare(request, model, route),
        request.body.keys(),
        "req_1",
        deadline,
    )
    if not body["stream"]:
        answer, answered = await router.complete(job)
        return {c["index"]: _summary([c["message"]], c) for c in answer["choices"]}, answered
    batches, answered = await router.stream(job)
    choices: dict[int, list[Json]] = {}
    async for chunk in chunks_of(batches):
        for choice in chunk["choices"]:
            choices.setdefault(choice["index"], []).append(choice)
    return {
        i: _summary([c["delta"] for c in all_], all_[-1]) for i, all_ in choices.items()
    }, answered


def _summary(parts: list[Json], last: Json) -> Json:
    return {
        "text": "".join(part.get("content") or "" for part in parts),
        "called": any(part.get("tool_calls") for part in parts),
        "finish": last.get("finish_reason"),
    }


def verdict(name: str, choices: Mapping[int, Json], answered: Answered) -> str:
    for said in choices.values():
        if name in CALLS or name == "effort high, required":
            assert said["called"], name
        if name in JSON_ASKED:
            assert isinstance(json.loads(said["text"]), dict), name
    assert len(choices) == (2 if name == "n" else 1)
    empty = not any(said["text"] or said["called"] for said in choices.values())
    told = ["no text" if empty else "yes"]
    told += [f"mapped: {', '.join(answered.mapped)}"] if answered.mapped else []
    told += [f"dropped: {', '.join(answered.dropped)}"] if answered.dropped else []
    return "; ".join(told)


async def cell(router: ChatRouter, providers: set[str], name: str) -> str:
    found = []
    for stream in (False, True):
        try:
            said, answered = await answers(router, providers, {**ASKS[name], "stream": stream})
            found.append(verdict(name, said, answered))
        except LosiError as error:
            found.append(f"refused: {error.param or error.code}")
    return found[0] if found[0] == found[1] else f"JSON {found[0]}; stream {found[1]}"


async def table() -> dict[str, list[str]]:
    async with StrictUpstream() as upstream:
        with pytest.MonkeyPatch.context() as environ:
            for name, value in environment(upstream).items():
                environ.setenv(name, value)
            router = ChatRouter(Registry(FORMATS, read_config()))
            return {
                name: [await cell(router, providers, name) for providers in CONFIGURED.values()]
                for name in ROWS
            }


def page(rows: Mapping[str, list[str]]) -> str:
    def lines() -> Iterator[str]:
        yield f"| request | {' | '.join(CONFIGURED)} |"
        yield "|---|---|---|---|---|"
        for name, cells in rows.items():
            yield f"| {name} | {' | '.join(cells)} |"

    return HEAD + "\n".join(lines()) + "\n"


async def test_losi_omega_is_answered_whoevers_keys_are_set() -> None:
    rows = await table()

    if os.environ.get("LOSI_WRITE_CONFORMANCE"):
        PAGE.write_text(page(rows), "utf-8")
    assert not [name for name, cells in rows.items() if any("refused" in one for one in cells)]
    for name in ("small max_tokens", "smallest max_tokens"):
        assert all(cell.startswith("yes") for cell in rows[name])
    assert page(rows) == PAGE.read_text("utf-8"), "run `make conformance`"
