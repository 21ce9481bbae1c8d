"""The double refuses what vendors refuse: every rule, by a request that provokes it."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionToolUnionParam

from tests.contract.bedrock_server import client as bedrock_client
from tests.strict_upstream import RULES, StrictUpstream
from tests.strict_upstream.provocations import CLOSED, Provocation
from tests.strict_upstream.provoke_anthropic import ANTHROPIC
from tests.strict_upstream.provoke_bedrock import BEDROCK
from tests.strict_upstream.provoke_openai import CHAT, RESPONSES
from tests.strict_upstream.provoke_vendors import VENDORS
from tests.strict_upstream.rules import Account
from tests.strict_upstream.server import BOOKS

PROVOCATIONS = [*CHAT, *RESPONSES, *ANTHROPIC, *BEDROCK, *VENDORS]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[StrictUpstream]:
    async with StrictUpstream() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(upstream: StrictUpstream) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=upstream.url, timeout=60) as client:
        yield client


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("asked", PROVOCATIONS, ids=lambda asked: asked.name)
async def test_a_rule_is_provoked(
    upstream: StrictUpstream, client: httpx.AsyncClient, asked: Provocation
) -> None:
    upstream.account, upstream.refused = asked.account, []

    answer = await client.post(asked.path, json=asked.body, headers=dict(asked.headers))

    refused_by = [refused.rule for refused in upstream.refused]
    assert refused_by == ([] if asked.status == 200 else [asked.rule]), answer.text
    assert answer.status_code == asked.status
    assert asked.says in answer.text.replace('": ', '":')


def test_every_rule_is_provoked() -> None:
    assert {asked.rule for asked in PROVOCATIONS} == RULES.keys()


def test_every_predicate_is_seen_to_refuse() -> None:
    refusing = {asked.rule for asked in PROVOCATIONS if asked.status != 200}
    assert {rule for book in BOOKS for rule in book.predicates} == refusing


def test_every_rule_names_its_sources() -> None:
    for rule in RULES.values():
        assert rule.urls and all(url.startswith("https://") for url in rule.urls), rule.id
        assert rule.date >= "2025" and rule.when and rule.sure, rule.id


@pytest.mark.asyncio(loop_scope="module")
async def test_a_body_that_is_no_json(upstream: StrictUpstream, client: httpx.AsyncClient) -> None:
    upstream.account = Account()

    answer = await client.post(
        "/v1/messages", content=b"{", headers={"anthropic-version": "2023-06-01"}
    )

    assert "not valid JSON" in answer.text


WEATHER: ChatCompletionToolUnionParam = {
    "type": "function",
    "function": {"name": "weather", "parameters": CLOSED},
}


@pytest.mark.asyncio(loop_scope="module")
async def test_openais_sdk_reads_its_answers(upstream: StrictUpstream) -> None:
    upstream.account = Account()
    async with AsyncOpenAI(base_url=f"{upstream.url}/v1", api_key="k", max_retries=0) as sdk:
        plain = await sdk.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": "Hi"}],
            tools=[WEATHER],
            tool_choice="required",
        )
        async with sdk.responses.stream(
            model="gpt-6.1-sol", input="Hi", reasoning={"effort": "low", "summary": "auto"}
        ) as stream:
            streamed = await stream.get_final_response()

    assert plain.choices[0].finish_reason == "tool_calls"
    assert plain.usage and plain.usage.total_tokens > 8
    assert streamed.output_text == "It is well."
    assert streamed.output[0].type == "reasoning"


@pytest.mark.asyncio(loop_scope="module")
async def test_anthropics_sdk_reads_its_answers(upstream: StrictUpstream) -> None:
    upstream.account = Account()
    async with (
        AsyncAnthropic(base_url=upstream.url, api_key="k", max_retries=0) as sdk,
        sdk.messages.stream(
            model="claude-sonnet-5-5",
            max_tokens=4000,
            messages=[{"role": "user", "content": "What is the weather in both?"}],
            tools=[{"name": "weather", "input_schema": {**CLOSED}}],
        ) as stream,
    ):
        message = await stream.get_final_message()

    assert [block.type for block in message.content] == ["thinking", "tool_use", "tool_use"]
    assert message.stop_reason == "tool_use"


@pytest.mark.asyncio(loop_scope="module")
async def test_boto3_reads_its_answers(upstream: StrictUpstream) -> None:
    upstream.account = Account()
    bedrock = bedrock_client(upstream.url)
    answer = await asyncio.to_thread(
        bedrock.converse,
        modelId="us.anthropic.claude-sonnet-4-6",
        messages=[{"role": "user", "content": [{"text": "Hi"}]}],
    )
    events = await asyncio.to_thread(
        lambda: list(
            bedrock.converse_stream(
                modelId="us.anthropic.claude-sonnet-4-6",
                messages=[{"role": "user", "content": [{"text": "Hi"}]}],
            )["stream"]
        )
    )
    bedrock.close()

    assert answer["output"]["message"]["content"] == [{"text": "It is well."}]
    assert events[-1]["metadata"]["usage"]["totalTokens"] > 1
