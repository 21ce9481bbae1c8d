"""The lines of deployed functions: on standard output, whole, joined by the request's id."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest

from tests.e2e.world import MESSAGES, REPORTED, WORDS, World, open_world, word
from tests.fake_upstream import Reply
from tests.front_door import template_routes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CHAT, MODELS = "chat_completions", "models"


@pytest.fixture
async def world(dynamodb: "DynamoDBClient", losi_table: str) -> AsyncIterator[World]:
    metrics = {"LOSI_METRICS": "losi/test"}
    async with open_world(dynamodb, losi_table, template_routes(), env=metrics) as world:
        yield world


def lines(world: World, function: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in world.door.logs(function) if line.startswith("{")]
    return [line for line in found if "request_id" in line]


async def test_functions_of_both_runtimes_write_one_for_each_request(world: World) -> None:
    """By our runtime, and by Lambda's own with Mangum."""
    message = {"role": "assistant", "content": "Once"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    world.upstream.replies = [Reply.json({"choices": [choice], "usage": REPORTED})]

    answered = await world.sdk.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=MESSAGES
    )
    async with httpx.AsyncClient(timeout=60) as http:
        refused = await http.get(f"{world.sdk.base_url}models")
    await world.idle()

    (line,) = lines(world, CHAT)
    assert line["request_id"] == answered.headers["x-request-id"]
    assert (line["status"], line["cold_start"], line["model"]) == (200, True, "gpt-4o")
    assert line["user_agent"] == "openai-python"
    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "losi/test"
    (line,) = lines(world, MODELS)
    assert line["request_id"] == refused.headers["x-request-id"]
    assert (line["status"], line["error"]) == (401, "invalid_api_key")


async def test_a_killed_process_writes_none(world: World) -> None:
    script = world.script()
    script.release(word(WORDS[0]))
    stream = await world.stream()
    await anext(stream)

    await asyncio.to_thread(world.door.kill, CHAT)
    with pytest.raises((openai.APIError, httpx.HTTPError)):
        await anext(stream)

    assert lines(world, CHAT) == []
    script.end()
