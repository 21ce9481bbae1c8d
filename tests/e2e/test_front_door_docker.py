"""What is deployed, in the image that Lambda runs: streamed through the front door, to the SDK.

`sam local` runs the same containers, but buffers (test_sam_local.py). Here the image's bootstrap
starts the streaming runtime through the exec wrapper in the layer, as in Lambda.
"""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from local.docker import MACHINE
from losi.metering.usage import Usage
from losi.web.endpoints import ENDPOINTS
from tests.deployment import Build, logical_id
from tests.e2e.world import MESSAGES, REPORTED, WORDS, World, open_world, word
from tests.fake_upstream import Reply
from tests.front_door import MakeFunction, template_routes
from tests.front_door.container import consumption, containers

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CHAT = "ChatCompletionsFunction"
#: What to ask of each of the others.
OTHERS = {
    logical_id(endpoint.function): endpoint.resource
    for endpoint in ENDPOINTS
    if endpoint.method == "GET" and "{" not in endpoint.resource
}
#: A tenth of what a function has; an import that does not belong there is soon this large.
MEMORY_BUDGET = 100_000_000


@pytest.fixture(scope="module")
def built(sam_build: Build) -> Path:
    return sam_build(MACHINE) / "template.yaml"


@pytest.fixture(scope="module")
def make_function(docker_environment: dict[str, str], built: Path) -> Iterator[MakeFunction]:
    with containers(built, docker_environment) as make:
        yield make


@pytest.fixture
async def world(
    request: pytest.FixtureRequest,
    make_function: MakeFunction,
    built: Path,
    dynamodb: "DynamoDBClient",
    losi_table: str,
) -> AsyncIterator[World]:
    env = {"AWS_LAMBDA_INITIALIZATION_TYPE": getattr(request, "param", "on-demand")}
    routes = template_routes(built, make_function)
    async with open_world(dynamodb, losi_table, routes, env=env) as world:
        yield world


@pytest.mark.parametrize("world", ["on-demand", "snap-start"], indirect=True)
async def test_each_chunk_reaches_the_sdk_before_the_provider_makes_the_next(
    world: World, request: pytest.FixtureRequest
) -> None:
    received, finish_reason = await world.stream_one_by_one()

    assert (received, finish_reason) == (WORDS, "stop")
    await world.idle()
    assert await world.settled() == (1, Usage(11, 7))
    world.check()
    restored = "RESTORE_START" in world.door.logs(CHAT)
    assert restored == ("snap-start" in request.node.name)


async def test_a_plain_completion(world: World) -> None:
    message = {"role": "assistant", "content": "Once upon a time"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    world.upstream.replies = [Reply.json({"choices": [choice], "usage": REPORTED})]

    completion = await world.sdk.chat.completions.create(model="gpt-4o", messages=MESSAGES)

    assert completion.choices[0].message.content == "Once upon a time"
    assert await world.settled() == (1, Usage(11, 7))
    world.check()


async def test_the_first_answer_of_every_function_and_what_it_takes(
    world: World, docker_environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    script = world.script()
    script.release(word("Hi"))
    script.end()
    headers = {"Authorization": f"Bearer {world.key}"}
    url = f"{world.door.url}/api/v1"
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as http:
        chunks = [chunk async for chunk in await world.stream()]
        answers = [await http.get(path) for path in OTHERS.values()]

    assert chunks[0].choices[0].delta.content == "Hi"
    assert [answer.status_code for answer in answers] == [200] * len(OTHERS)
    taken = {name: consumption(name, docker_environment) for name in (CHAT, *OTHERS)}
    with capsys.disabled():
        for name, one in taken.items():
            sys.stdout.write(
                f"\n{name}, cold start to first answer: {one.cpu_seconds:.2f} s of CPU, "
                f"{one.resident_bytes / 1e6:.0f} MB resident"
            )
    assert [name for name, one in taken.items() if one.resident_bytes > MEMORY_BUDGET] == []
