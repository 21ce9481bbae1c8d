"""Converse, not streamed: botocore's Stubber checks what is sent and what comes back."""

import asyncio
import json
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest
from botocore.exceptions import (
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    ReadTimeoutError,
)
from botocore.stub import Stubber
from openai.types.chat import ChatCompletion

from losi.catalogue.models import Route
from losi.errors import InvalidRequestError, Remedy, UpstreamError
from losi.upstream.bedrock.client import BedrockConverse, bedrock_client
from losi.upstream.bedrock.errors import translate_error
from losi.upstream.format import UpstreamCall
from tests.catalogue import PROVIDERS
from tests.contract import bedrock_server
from tests.contract.bedrock_server import BedrockServer
from tests.loose import Json, loose

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


def call(**body: Any) -> UpstreamCall:
    messages = [{"role": "user", "content": "hello"}]
    route = Route(provider=PROVIDERS["bedrock"], model=MODEL, max_output_tokens=8192)
    return UpstreamCall(loose({"model": MODEL, "messages": messages, **body}), route, "r1")


def answer(*content: Json, reason: str = "end_turn", **usage: int) -> Json:
    return {
        "output": {"message": {"role": "assistant", "content": list(content)}},
        "stopReason": reason,
        "usage": {"inputTokens": 7, "outputTokens": 5, "totalTokens": 12, **usage},
        "metrics": {"latencyMs": 321},
    }


@pytest.fixture
def stubber() -> Generator[Stubber]:
    client = bedrock_server.client()
    with Stubber(client) as stubber:
        yield stubber
    client.close()


@pytest.fixture
def provider(stubber: Stubber) -> BedrockConverse:
    client: Any = stubber.client
    return BedrockConverse(lambda: client)


@pytest.fixture
async def bedrock() -> AsyncGenerator[BedrockServer]:
    async with BedrockServer.running() as server:
        yield server


async def complete(provider: BedrockConverse, stubber: Stubber, response: Json) -> Json:
    stubber.add_response("converse", response)
    completion = await provider.prepare(call()).complete()
    ChatCompletion.model_validate(completion, strict=True)
    return completion


def started_call(bedrock: BedrockServer) -> asyncio.Task[Json]:
    """A call that is on its way."""
    return asyncio.create_task(BedrockConverse(lambda: bedrock.client).prepare(call()).complete())


class TestAnswers:
    async def test_text(self, provider: BedrockConverse, stubber: Stubber) -> None:
        # given: Bedrock expects exactly this
        stubber.add_response(
            "converse",
            answer({"text": "Hi "}, {"text": "there"}),
            {
                "modelId": MODEL,
                "system": [{"text": "Be brief."}],
                "messages": [{"role": "user", "content": [{"text": "hello"}]}],
                "inferenceConfig": {"maxTokens": 8192, "temperature": 0.5},
            },
        )
        messages = [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": "hello"},
        ]

        completion = await provider.prepare(call(messages=messages, temperature=0.5)).complete()

        assert completion["choices"] == [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi there", "refusal": None},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ]

    async def test_tool_calls_beside_text(
        self, provider: BedrockConverse, stubber: Stubber
    ) -> None:
        use = {"toolUseId": "tooluse_a", "name": "weather", "input": {"city": "Köln"}}
        bare = {"toolUseId": "tooluse_b", "name": "now", "input": {}}
        completion = await complete(
            provider,
            stubber,
            answer({"text": "Looking."}, {"toolUse": use}, {"toolUse": bare}, reason="tool_use"),
        )
        message = completion["choices"][0]["message"]
        assert message["content"] == "Looking."
        assert [(c["id"], c["function"]["arguments"]) for c in message["tool_calls"]] == [
            ("tooluse_a", '{"city":"Köln"}'),
            ("tooluse_b", "{}"),
        ]
        assert completion["choices"][0]["finish_reason"] == "tool_calls"

    async def test_reasoning_is_told_and_comes_back_signed(
        self, provider: BedrockConverse, stubber: Stubber
    ) -> None:
        # given: an answer with thinking and a tool call
        text = {"reasoningText": {"text": "Hmm.", "signature": "c2ln"}}
        use = {"toolUseId": "tooluse_a", "name": "now", "input": {}}
        content: list[Json] = [
            {"reasoningContent": text},
            {"reasoningContent": {"redactedContent": b"\0secret"}},
            {"toolUse": use},
        ]
        message = (await complete(provider, stubber, answer(*content, reason="tool_use")))[
            "choices"
        ][0]["message"]
        assert message["reasoning_content"] == "Hmm."

        # when: the caller sends the message back with the tool's result
        history = [
            {"role": "user", "content": "time?"},
            message,
            {"role": "tool", "tool_call_id": "tooluse_a", "content": "noon"},
        ]
        result = {"toolUseId": "tooluse_a", "content": [{"text": "noon"}]}
        spec = {"name": "now", "inputSchema": {"json": {"type": "object", "properties": {}}}}
        stubber.add_response(
            "converse",
            answer({"text": "Noon."}),
            {
                "modelId": MODEL,
                "messages": [
                    {"role": "user", "content": [{"text": "time?"}]},
                    {"role": "assistant", "content": content},
                    {"role": "user", "content": [{"toolResult": result}]},
                ],
                "inferenceConfig": {"maxTokens": 4000},
                "toolConfig": {"tools": [{"toolSpec": spec}]},
                "additionalModelRequestFields": {
                    "thinking": {"type": "enabled", "budget_tokens": 2000}
                },
            },
        )
        tools = [{"type": "function", "function": {"name": "now"}}]
        await provider.prepare(
            call(messages=history, tools=tools, reasoning_effort="medium", max_tokens=4000)
        ).complete()

    async def test_cached_tokens_are_part_of_the_prompt(
        self, provider: BedrockConverse, stubber: Stubber
    ) -> None:
        completion = await complete(
            provider,
            stubber,
            answer({"text": "x"}, cacheReadInputTokens=100, cacheWriteInputTokens=20),
        )
        assert completion["usage"] == {
            "prompt_tokens": 127,
            "completion_tokens": 5,
            "total_tokens": 132,
            "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 20},
        }

    @pytest.mark.parametrize(
        ("reason", "finish"),
        [
            ("end_turn", "stop"),
            ("stop_sequence", "stop"),
            ("max_tokens", "length"),
            ("model_context_window_exceeded", "length"),
            ("guardrail_intervened", "content_filter"),
            ("content_filtered", "content_filter"),
        ],
    )
    async def test_stop_reasons(
        self, provider: BedrockConverse, stubber: Stubber, reason: str, finish: str
    ) -> None:
        completion = await complete(provider, stubber, answer({"text": "x"}, reason=reason))
        assert completion["choices"][0]["finish_reason"] == finish

    async def test_an_empty_answer_is_empty_text(
        self, provider: BedrockConverse, stubber: Stubber
    ) -> None:
        completion = await complete(provider, stubber, answer())
        assert completion["choices"][0]["message"]["content"] == ""

    @pytest.mark.parametrize("reason", ["malformed_model_output", "malformed_tool_use"])
    async def test_a_malformed_answer_is_no_answer(
        self, provider: BedrockConverse, stubber: Stubber, reason: str
    ) -> None:
        with pytest.raises(UpstreamError) as caught:
            await complete(provider, stubber, answer({"text": "{"}, reason=reason))
        assert caught.value.code == "upstream_malformed"


class TestRefusals:
    @pytest.mark.parametrize(
        ("error_type", "sent", "status", "code", "remedy"),
        [
            ("ThrottlingException", 429, 503, "upstream_rate_limited", Remedy.SAME_ROUTE),
            ("ServiceUnavailableException", 503, 503, "upstream_overloaded", Remedy.SAME_ROUTE),
            ("ModelNotReadyException", 429, 503, "upstream_overloaded", Remedy.SAME_ROUTE),
            ("ModelTimeoutException", 408, 504, "upstream_timeout", Remedy.SAME_ROUTE),
            ("ModelErrorException", 424, 502, "upstream_error", Remedy.SAME_ROUTE),
            ("InternalServerException", 500, 502, "upstream_error", Remedy.SAME_ROUTE),
            ("AccessDeniedException", 403, 503, "upstream_credentials", Remedy.FRESH_CREDENTIALS),
            ("ExpiredTokenException", 403, 503, "upstream_credentials", Remedy.FRESH_CREDENTIALS),
            ("ResourceNotFoundException", 404, 502, "upstream_model_not_found", Remedy.NEXT_ROUTE),
            ("SomethingNewException", 500, 502, "upstream_error", Remedy.SAME_ROUTE),
        ],
    )
    async def test_each_of_bedrocks_errors(
        self,
        bedrock: BedrockServer,
        error_type: str,
        sent: int,
        status: int,
        code: str,
        remedy: Remedy,
    ) -> None:
        answering = started_call(bedrock)
        await (await bedrock.exchange()).refuse(sent, error_type, "arn:aws:x:1:secret words")
        with pytest.raises(UpstreamError) as caught:
            await answering
        assert (caught.value.status, caught.value.code) == (status, code)
        assert caught.value.remedy is remedy
        assert "secret" not in caught.value.message

    @pytest.mark.parametrize(
        ("message", "param", "code"),
        [
            ("messages.1.content: is blank", "messages", None),
            ("Input is too long for requested model.", "messages", "context_length_exceeded"),
            ("outputConfig.textFormat: schema has unsupported keyword", "response_format", None),
            ("tools.0.custom.input_schema: bad", "tools", None),
            ("The maximum tokens you requested exceeds the limit", "max_tokens", None),
        ],
    )
    async def test_a_refusal_of_the_request_names_the_parameter(
        self, provider: BedrockConverse, stubber: Stubber, message: str, param: str, code: str
    ) -> None:
        stubber.add_client_error("converse", "ValidationException", message, 400)
        with pytest.raises(InvalidRequestError) as caught:
            await provider.prepare(call()).complete()
        assert (caught.value.message, caught.value.param) == (message, param)
        assert caught.value.code == code

    async def test_account_numbers_are_not_shown(
        self, provider: BedrockConverse, stubber: Stubber
    ) -> None:
        words = "Bad content for arn:aws:bedrock:us-east-1:123456789012:prompt/ABC"
        stubber.add_client_error("converse", "ValidationException", words, 400)
        with pytest.raises(InvalidRequestError) as caught:
            await provider.prepare(call()).complete()
        assert caught.value.message == "Bad content for (resource)"

    async def test_a_model_id_that_bedrock_refuses_is_the_operators_matter(
        self, provider: BedrockConverse, stubber: Stubber
    ) -> None:
        words = "The provided model identifier is invalid."
        stubber.add_client_error("converse", "ValidationException", words, 400)
        with pytest.raises(UpstreamError) as caught:
            await provider.prepare(call()).complete()
        assert caught.value.code == "upstream_model_not_found"

    @pytest.mark.parametrize("missing", [NoCredentialsError(), NoRegionError()])
    async def test_no_credentials(self, missing: Exception) -> None:
        def client() -> Any:
            raise missing

        with pytest.raises(UpstreamError) as caught:
            await BedrockConverse(client).prepare(call()).complete()
        assert (caught.value.status, caught.value.code) == (503, "upstream_credentials")

    async def test_an_endpoint_that_does_not_answer(self) -> None:
        client = bedrock_server.client("http://127.0.0.1:1")
        with pytest.raises(UpstreamError) as caught:
            await BedrockConverse(lambda: client).prepare(call()).complete()
        assert (caught.value.status, caught.value.code) == (503, "upstream_unavailable")
        client.close()

    @pytest.mark.parametrize(
        "body", [b"<html>", b'{"output": {"mess', b"[]", b'{"output": {}}'], ids=repr
    )
    async def test_garbage_is_malformed(self, bedrock: BedrockServer, body: bytes) -> None:
        answering = started_call(bedrock)
        await (await bedrock.exchange()).answer(200, body)
        with pytest.raises(UpstreamError) as caught:
            await answering
        assert caught.value.code == "upstream_malformed"

    async def test_a_connection_closed_before_the_answer(self, bedrock: BedrockServer) -> None:
        answering = started_call(bedrock)
        (await bedrock.exchange()).cut()
        with pytest.raises(UpstreamError) as caught:
            await answering
        assert caught.value.code == "upstream_unavailable"

    async def test_the_operation_and_model_are_in_the_path(self, bedrock: BedrockServer) -> None:
        answering = started_call(bedrock)
        exchange = await bedrock.exchange()
        await exchange.answer(200, json.dumps(answer({"text": "x"})).encode())
        await answering
        assert exchange.path == f"/model/{MODEL.replace(':', '%3A')}/converse"


async def test_a_format_makes_its_client_once(bedrock: BedrockServer) -> None:
    made: list[object] = []

    def client() -> Any:
        made.append(bedrock.client)
        return bedrock.client

    converse = BedrockConverse(client)
    for _ in range(2):
        answering = asyncio.create_task(converse.prepare(call()).complete())
        await (await bedrock.exchange()).answer(200, json.dumps(answer({"text": "x"})).encode())
        await answering

    assert len(made) == 1


async def test_a_bug_of_ours_is_not_called_bedrocks() -> None:
    def client() -> Any:
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        await BedrockConverse(client).prepare(call()).complete()


def test_its_client_leaves_retries_to_the_routes() -> None:
    client = bedrock_client("eu-central-1")
    assert client.meta.region_name == "eu-central-1"
    assert vars(client.meta.config)["retries"]["total_max_attempts"] == 1


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (ReadTimeoutError(endpoint_url="https://x"), 504, "upstream_timeout"),
        (ConnectTimeoutError(endpoint_url="https://x"), 503, "upstream_unavailable"),
        (EndpointConnectionError(endpoint_url="https://x"), 503, "upstream_unavailable"),
        (ParamValidationError(report="Invalid length for messages"), 400, None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_botocore_raises_by_itself(raised: Exception, status: int, code: str | None) -> None:
    error = translate_error(raised)
    assert error is not None
    assert (error.status, error.code) == (status, code)
