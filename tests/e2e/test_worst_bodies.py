"""Any body that fits, on any endpoint: 200 MB over idle and a second of CPU at most.

Measured on the whole process of `make run`. Its table is in another one: the embedded DynamoDB
copies itself for every transaction, and keeps the memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

from losi.web.parsing import MAX_EVENT_BYTES, _size_in_event
from tests.dynamodb_local import dynamodb_environment, free_port
from tests.e2e.server import running_server
from tests.hostile.bodies import MOST, bodies
from tests.hostile.process import Usage
from tests.hostile.target import MOST_MEGABYTES, MOST_SECONDS, Target, local_target

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CHAT = '"model":"losi-omega","messages":[{"role":"user","content":"Hi"}]'
EMBEDDINGS = '"model":"text-embedding-3-small","input":"Hi"'
KEY = '"name":"x","permissions":["models.list"]'
#: Method, path, and the fields of a good body.
ENDPOINTS = (
    ("POST", "/chat/completions", CHAT),
    ("POST", "/embeddings", EMBEDDINGS),
    ("POST", "/api-keys", KEY),
    ("PATCH", "/api-keys?id=key_AbsentId", KEY),
    ("POST", "/api-keys/rotate?id=key_AbsentId", '"expires_in_seconds":60'),
    ("POST", "/session", '"api_key":"losi-x"'),
    ("PATCH", "/profile", '"name":"x"'),
)
#: Requests of one key: its plan takes two of these texts a minute.
KEY_LASTS = 2


@pytest.fixture(scope="module")
def target(dynamodb: DynamoDBClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("worst")
    environment = dynamodb_environment(dynamodb.meta.endpoint_url, "worst-bodies")
    with running_server(folder, free_port(), **environment) as server:
        yield local_target(server.base_url, folder, server.process.pid)


@pytest.fixture(scope="module")
def idle(target: Target) -> Usage:
    """After some good requests, which load what is loaded on first use."""
    headers = {"Authorization": f"Bearer {target.new_key()}", "Content-Type": "application/json"}
    for _, path, fields in (ENDPOINTS[0], ENDPOINTS[1]) * 5:
        good = httpx.post(target.url + path, content=f"{{{fields}}}", headers=headers)
        assert good.status_code == 200, good.text
    return target.usage()


@pytest.fixture
def page(target: Target) -> Iterator[httpx.Client]:
    """The console's own page, with the demo account's sign-in."""
    origin = target.url.removesuffix("/api/v1")
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": origin, "X-Losi-Console": "1"}
    with httpx.Client(base_url=target.url, timeout=60, headers=headers) as client:
        assert client.post("/session/demo").status_code == 200
        yield client


def test_the_bodies_are_as_large_as_they_may_be() -> None:
    sizes = {
        name: _size_in_event(body.content) for name, body in bodies(CHAT).items() if not body.coding
    }

    assert max(sizes.values()) <= MAX_EVENT_BYTES
    assert len([size for size in sizes.values() if size > MOST - 100_000]) > 30


@pytest.mark.parametrize(("method", "path", "fields"), ENDPOINTS)
def test_no_body_takes_much_memory_or_time(
    target: Target, idle: Usage, page: httpx.Client, method: str, path: str, fields: str
) -> None:
    over: list[str] = []
    for number, (name, body) in enumerate(bodies(fields).items()):
        if number % KEY_LASTS == 0 and path != "/profile":
            page.headers["Authorization"] = f"Bearer {target.new_key()}"
        idle.reset()

        answer = page.request(method, path, content=body.content, headers=body.headers)

        megabytes, seconds = idle.megabytes, idle.seconds
        if megabytes > MOST_MEGABYTES or seconds > MOST_SECONDS or answer.status_code >= 500:
            over.append(f"{name}: {answer.status_code}, {megabytes:.0f} MB, {seconds:.1f} s")

    assert over == []
