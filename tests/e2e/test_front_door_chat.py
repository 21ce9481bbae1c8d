"""The deployed shape: the real functions as processes, AWS's protocol, OpenAI's SDK, a provider."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionToolParam

from losi.identity.key import NewKey
from losi.management.accounts import Accounts
from losi.metering.books import Books
from losi.metering.usage import Usage
from tests.catalogue import CATALOGUE
from tests.contract.cassettes import load
from tests.dynamodb_local import dynamodb_environment
from tests.e2e.world import (
    MESSAGES,
    REPORTED,
    WORDS,
    World,
    expire_holds,
    open_world,
    word,
)
from tests.fake_upstream import Reply
from tests.front_door import FrontDoor, template_routes
from tests.ledger_invariants import check_invariants

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
async def world(dynamodb: "DynamoDBClient", losi_table: str) -> AsyncIterator[World]:
    async with open_world(dynamodb, losi_table, template_routes()) as world:
        yield world


async def test_each_chunk_reaches_the_sdk_before_the_provider_makes_the_next(world: World) -> None:
    received, finish_reason = await world.stream_one_by_one()

    assert (received, finish_reason) == (WORDS, "stop")
    await world.idle()
    assert await world.settled() == (1, Usage(11, 7))
    world.check()


async def test_a_plain_completion(world: World) -> None:
    message = {"role": "assistant", "content": "Once upon a time"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    world.upstream.replies = [Reply.json({"choices": [choice], "usage": REPORTED})]

    completion = await world.sdk.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=MESSAGES
    )

    assert completion.parse().choices[0].message.content == "Once upon a time"
    assert completion.headers["x-losi-provider"] == "openai"
    assert completion.headers["x-ratelimit-limit-requests"] == "1000"
    assert await world.settled() == (1, Usage(11, 7))
    world.check()


async def test_a_client_that_hangs_up_pays_what_the_provider_produced(world: World) -> None:
    script = world.script()
    script.release(word(WORDS[0]))
    stream = await world.stream()
    await anext(stream)

    await stream.close()
    script.release(*(word(text) for text in WORDS[1:]))
    script.end()
    await world.idle()

    assert await world.settled() == (1, Usage(11, 7))
    world.check()


async def test_after_kill_9_the_client_sees_a_break_and_the_next_request_settles(
    world: World,
) -> None:
    # given a stream that dies with its process
    script = world.script()
    script.release(word(WORDS[0]))
    stream = await world.stream()
    await anext(stream)
    await asyncio.to_thread(world.door.kill, "chat_completions")
    with pytest.raises((openai.APIError, httpx.HTTPError)):
        await anext(stream)
    assert await world.settled() == (0, Usage(0, 0))

    # when its time is over, and the account's next request comes
    expire_holds(world.client, world.table, world.account_id)
    script = world.script()
    script.release(word("again "))
    script.end()
    texts = [chunk.choices[0].delta.content async for chunk in await world.stream()]

    # then both are paid: the dead one at its estimated input, exactly once
    assert "again " in texts
    await world.idle()
    requests, usage = await world.settled()
    assert requests == 2
    assert usage.output_tokens == 7 and usage.input_tokens > 11
    check_invariants(world.client, world.table)  # the dead one's hold goes when its place is needed


async def test_a_provider_that_breaks_off_becomes_an_error_and_is_paid_for(world: World) -> None:
    world.upstream.replies = [Reply.sse([word(text) for text in WORDS], cut=True)]

    stream = await world.stream()
    seen = 0
    with pytest.raises(openai.APIError) as caught:
        async for _ in stream:
            seen += 1

    assert seen == len(WORDS)
    assert caught.value.code == "upstream_incomplete"
    await world.idle()
    requests, usage = await world.settled()
    assert (requests, usage.output_tokens) == (1, 5)  # 18 characters, four to a token
    world.check()


async def test_a_provider_that_fails_before_producing_anything_costs_nothing(world: World) -> None:
    world.upstream.replies = [Reply.json({"error": {"message": "bad", "param": "seed"}}, 400)]

    with pytest.raises(openai.BadRequestError) as caught:
        await world.stream()

    assert caught.value.param == "seed"
    assert await world.settled() == (0, Usage(0, 0))
    world.check()


async def test_before_lambda_kills_it_a_stream_ends_with_an_error_and_is_settled(
    world: World,
) -> None:
    # the process is warm: of its ten seconds none goes into starting
    await world.stream_one_by_one()
    await world.idle()
    world.door.limit(10)
    script = world.script()
    script.release(word(WORDS[0]))

    stream = await world.stream()
    with pytest.raises(openai.APIError) as caught:
        async for _ in stream:
            pass

    assert caught.value.code == "deadline_exceeded"
    await world.idle()
    requests, usage = await world.settled()
    assert (requests, usage.output_tokens) == (2, REPORTED["completion_tokens"] + 2)
    world.check()


async def test_keys_models_and_usage_on_the_documented_urls(world: World) -> None:
    script = world.script()
    script.release(word("Hi"))
    script.end()
    async for _ in await world.stream():
        pass
    await world.idle()

    headers = {"Authorization": f"Bearer {world.key}"}
    url = f"{world.door.url}/api/v1"
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as http:
        new = {"name": "CI", "permissions": ["models.list"]}
        created = (await http.post("/api-keys", json=new)).json()["data"]
        listed = (await http.get("/api-keys")).json()["data"]
        usage = (await http.get("/api-usage", params={"group_by": "model"})).json()["data"]
        models = await world.sdk.with_options(api_key=created["key"]).models.list()
        deleted = await http.delete("/api-keys", params={"id": created["id"]})
        refused = await http.get("/models", headers={"Authorization": f"Bearer {created['key']}"})

    assert {key["id"] for key in listed} >= {created["id"]}
    assert models.data[0].id == "gpt-4o"
    assert usage["usage"][0]["model"] == "gpt-4o"
    assert usage["summary"]["total_output_tokens"] == 7
    assert deleted.json() == {"success": True}
    assert refused.status_code == 401


async def test_a_revoked_key_fails_on_its_next_completion_although_it_is_cached(
    world: World,
) -> None:
    ledger = Books(world.client, world.table)
    accounts = Accounts(world.client, world.table, ledger, CATALOGUE.plans)
    key, secret = accounts.create_key(
        world.account_id, NewKey("doomed", frozenset({"chat.completions"}))
    )
    doomed = world.sdk.with_options(api_key=secret.text)
    message = {"role": "assistant", "content": "Hi"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    world.upstream.replies = [Reply.json({"choices": [choice], "usage": REPORTED})]
    await doomed.chat.completions.create(model="gpt-4o", messages=MESSAGES)

    accounts.delete_key(world.account_id, key.id)

    with pytest.raises(openai.AuthenticationError):
        await doomed.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    world.check()


async def test_claude_answers_with_its_own_recorded_stream(world: World) -> None:
    (cassette,) = load("anthropic", "stream-parallel-tools-03.json")
    world.upstream.replies = [cassette.reply(cut_into=100)]
    tool: ChatCompletionToolParam = {"type": "function", "function": {"name": "get_weather"}}

    stream = await world.sdk.chat.completions.create(
        model="claude-3.5-sonnet",
        messages=MESSAGES,
        tools=[tool],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]

    calls = [call for c in chunks if c.choices for call in c.choices[0].delta.tool_calls or ()]
    assert {call.index for call in calls} == set(range(len({call.id for call in calls if call.id})))
    assert len({call.id for call in calls if call.id}) > 1
    reported = chunks[-1].usage
    assert reported is not None
    await world.idle()
    requests, usage = await world.settled()
    assert requests == 1
    assert (usage.input_tokens, usage.output_tokens) == (
        reported.prompt_tokens,
        reported.completion_tokens,
    )
    assert world.upstream.requests[-1].path == "/v1/messages"
    world.check()


async def test_losi_omega_appends_its_prompt_and_falls_over_to_its_next_route(world: World) -> None:
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    said = {"type": "message", "content": [{"type": "output_text", "text": "Bonjour"}]}
    response = {"output": [said], "usage": {"input_tokens": 11, "output_tokens": 7}}
    world.upstream.replies = [
        Reply.json(overloaded, 529),
        Reply.json(overloaded, 529),
        Reply.json(response),
    ]

    answer = await world.sdk.chat.completions.with_raw_response.create(
        model="losi-omega",
        messages=[{"role": "system", "content": "Answer in French."}, *MESSAGES],
        temperature=0.2,
    )

    paths = [received.path for received in world.upstream.requests]
    assert paths == ["/v1/messages", "/v1/messages", "/v1/responses"]
    system = world.upstream.requests[-1].json["input"][0]["content"][0]["text"]
    assert system.startswith("Answer in French.\n\nYou are Losi Omega")
    assert answer.headers["x-losi-attempts"] == "3"
    assert answer.headers["x-losi-provider"] == "openai-responses"
    assert answer.headers["x-losi-dropped-params"] == "temperature"
    completion = answer.parse()
    assert (completion.model, completion.choices[0].message.content) == ("losi-omega", "Bonjour")
    assert await world.settled() == (1, Usage(11, 7))
    world.check()


async def test_several_choices_of_a_provider_that_gives_one(world: World) -> None:
    (cassette,) = load("anthropic", "json-plain-02.json")
    world.upstream.replies = [cassette.reply()]

    completion = await world.sdk.chat.completions.create(
        model="claude-3.5-sonnet", messages=MESSAGES, n=3
    )

    assert [choice.index for choice in completion.choices] == [0, 1, 2]
    assert len(world.upstream.requests) == 3
    recorded = cassette.json["usage"]
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 3 * recorded["output_tokens"]
    requests, usage = await world.settled()
    assert (requests, usage.output_tokens) == (1, completion.usage.completion_tokens)
    world.check()


async def test_a_test_key_reaches_only_the_sandbox_and_is_never_billed(world: World) -> None:
    ledger = Books(world.client, world.table)
    accounts = Accounts(world.client, world.table, ledger, CATALOGUE.plans)
    new = NewKey("CI", frozenset({"chat.completions"}), test=True)
    _, secret = accounts.create_key(world.account_id, new)
    sandboxed = world.sdk.with_options(api_key=secret.text)

    answer = await sandboxed.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=MESSAGES
    )

    assert secret.text.startswith("losi-test-")
    assert answer.headers["x-losi-provider"] == "sandbox"
    assert world.upstream.requests == []
    assert await world.settled() == (0, Usage(0, 0))
    world.check()


async def test_a_plans_limits_are_told_in_openais_words(world: World) -> None:
    ledger = Books(world.client, world.table)
    Accounts(world.client, world.table, ledger, CATALOGUE.plans).set_plan(world.account_id, "free")
    message = {"role": "assistant", "content": "Hi"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    heavy = {"prompt_tokens": 60_000, "completion_tokens": 39_000, "total_tokens": 99_000}
    world.upstream.replies = [Reply.json({"choices": [choice], "usage": heavy})]
    await world.sdk.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)

    with pytest.raises(openai.PermissionDeniedError) as not_in_plan:
        await world.sdk.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    with pytest.raises(openai.RateLimitError) as used_up:
        await world.sdk.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)

    assert (not_in_plan.value.type, not_in_plan.value.code) == (
        "insufficient_quota",
        "model_not_in_plan",
    )
    assert "plus" in not_in_plan.value.message
    assert used_up.value.response.headers["x-request-id"]
    # a minute may have begun between the two requests: then the day's quota refuses, else the rate
    assert used_up.value.code in ("rate_limit_exceeded", "quota_exceeded")
    assert len(world.upstream.requests) == 1
    world.check()


async def test_without_its_database_nothing_is_let_through(world: World) -> None:
    with FrontDoor(
        template_routes(),
        {
            **dynamodb_environment("http://127.0.0.1:1", world.table),
            "LOSI_OPENAI_API_KEY": "sk-upstream",
            "LOSI_OPENAI_BASE_URL": f"{world.upstream.url}/v1",
        },
    ) as cut_off:
        lost = world.sdk.with_options(base_url=f"{cut_off.url}/api/v1")
        with pytest.raises(openai.InternalServerError) as caught:
            await lost.chat.completions.create(model="gpt-4o", messages=MESSAGES)

    assert (caught.value.status_code, caught.value.code) == (503, "store_unavailable")
    assert caught.value.response.headers["retry-after"] == "1"
    assert world.upstream.requests == []
