"""OpenAI's Python SDK against `make run`: only base URL and key are ours."""

import json
from datetime import date

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel

from tests.e2e.server import Server

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello, world!"}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather in a location",
        "parameters": {
            "type": "object",
            "properties": {
                "location": {"type": "string", "description": "The city and state"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["location"],
        },
    },
}
MODELS = ["gpt-4o", "gpt-4o-mini", "gpt-3.5-turbo", "losi-omega", "claude-3.5-sonnet"]


class Weather(BaseModel):
    day: date
    celsius: float
    conditions: list[str]


def ask(text: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("model", MODELS)
def test_a_completion(client: OpenAI, model: str) -> None:
    completion = client.chat.completions.create(
        model=model, messages=QUESTION, temperature=0.7, max_tokens=500
    )

    assert completion.object == "chat.completion"
    assert completion.id.startswith("chatcmpl-")
    assert completion.model == model
    assert completion.choices[0].message.content
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage and completion.usage.total_tokens > 0
    assert completion._request_id and completion._request_id.startswith("req_")


@pytest.mark.parametrize("model", MODELS)
def test_a_stream_is_the_same_answer_piece_by_piece(client: OpenAI, model: str) -> None:
    whole = client.chat.completions.create(model=model, messages=QUESTION)

    chunks = list(client.chat.completions.create(model=model, messages=QUESTION, stream=True))

    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == whole.choices[0].message.content
    assert len(chunks) > 3
    assert len({chunk.id for chunk in chunks}) == len({chunk.created for chunk in chunks}) == 1
    assert [chunk.choices[0].delta.role for chunk in chunks].count("assistant") == 1
    assert [chunk.usage for chunk in chunks] == [None] * len(chunks)


def test_usage_comes_last_when_asked_for(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="gpt-4o", messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )

    *chunks, last = list(stream)

    assert last.choices == [] and last.usage is not None
    assert last.usage.total_tokens == last.usage.prompt_tokens + last.usage.completion_tokens
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)


def test_the_sdks_own_stream_helper(client: OpenAI) -> None:
    with client.chat.completions.stream(model="gpt-4o", messages=QUESTION) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()

    assert final.choices[0].message.role == "assistant"
    assert final.choices[0].message.content


def test_several_choices(client: OpenAI) -> None:
    completion = client.chat.completions.create(model="gpt-4o", messages=QUESTION, n=3)

    assert [choice.index for choice in completion.choices] == [0, 1, 2]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tools_round_trip(client: OpenAI, streamed: bool) -> None:
    messages = ask("What's the weather like in San Francisco?")
    if streamed:
        with client.chat.completions.stream(
            model="gpt-4o", messages=messages, tools=[WEATHER]
        ) as stream:
            stream.until_done()
            message = stream.get_final_completion().choices[0].message.model_dump()
    else:
        first = client.chat.completions.create(model="gpt-4o", messages=messages, tools=[WEATHER])
        assert first.choices[0].finish_reason == "tool_calls"
        message = first.choices[0].message.model_dump()

    (call,) = message["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    assert isinstance(json.loads(call["function"]["arguments"])["location"], str)

    messages.append(
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": call["id"],
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": call["function"]["arguments"]},
                }
            ],
        }
    )
    messages.append({"role": "tool", "tool_call_id": call["id"], "content": "18 degrees, foggy"})
    answer = client.chat.completions.create(model="gpt-4o", messages=messages, tools=[WEATHER])
    assert "18 degrees" in (answer.choices[0].message.content or "")
    assert answer.choices[0].finish_reason == "stop"


def test_a_forced_and_a_forbidden_tool(client: OpenAI) -> None:
    forced = client.chat.completions.create(
        model="gpt-4o",
        messages=QUESTION,
        tools=[WEATHER],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
    )
    forbidden = client.chat.completions.create(
        model="gpt-4o", messages=QUESTION, tools=[WEATHER], tool_choice="none"
    )

    assert forced.choices[0].message.tool_calls
    assert not forbidden.choices[0].message.tool_calls
    assert forbidden.choices[0].message.content


def test_structured_output_into_a_pydantic_model(client: OpenAI) -> None:
    completion = client.chat.completions.parse(
        model="gpt-4o", messages=ask("Weather tomorrow?"), response_format=Weather
    )

    assert isinstance(completion.choices[0].message.parsed, Weather)


def test_json_mode(client: OpenAI) -> None:
    completion = client.chat.completions.create(
        model="gpt-4o",
        messages=ask("Answer in JSON."),
        response_format={"type": "json_object"},
    )

    assert isinstance(json.loads(completion.choices[0].message.content or ""), dict)


def test_a_stop_sequence_and_a_token_limit(client: OpenAI) -> None:
    said = ask("[[sandbox:say=one two three four five six seven]]")
    stopped = client.chat.completions.create(model="gpt-4o", messages=said, stop=[" four"])
    cut = client.chat.completions.create(model="gpt-4o", messages=said, max_tokens=2)

    assert stopped.choices[0].message.content == "one two three"
    assert stopped.choices[0].finish_reason == "stop"
    assert cut.choices[0].finish_reason == "length"
    assert cut.usage and cut.usage.completion_tokens == 2


def test_the_models_list_and_one_model(client: OpenAI) -> None:
    models = list(client.models.list())

    assert [model.id for model in models][: len(MODELS)] == MODELS
    one = client.models.retrieve("claude-3.5-sonnet")
    assert (one.id, one.object, one.owned_by) == ("claude-3.5-sonnet", "model", "anthropic")


async def test_the_asynchronous_client(server: Server) -> None:
    async with AsyncOpenAI(base_url=server.base_url, api_key=server.api_key) as sdk:
        stream = await sdk.chat.completions.create(
            model="losi-omega", messages=QUESTION, stream=True
        )
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert "Hello, world!" in text


@pytest.mark.parametrize(
    ("status", "raised", "type_", "retries"),
    [
        (400, openai.BadRequestError, "invalid_request_error", 0),
        (401, openai.AuthenticationError, "authentication_error", 0),
        (403, openai.PermissionDeniedError, "permission_error", 0),
        (404, openai.NotFoundError, "invalid_request_error", 0),
        (429, openai.RateLimitError, "rate_limit_error", 0),
        (500, openai.InternalServerError, "server_error", 0),
        (503, openai.InternalServerError, "server_error", 0),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_each_documented_error_is_the_sdks_own_class(
    client: OpenAI,
    status: int,
    raised: type[openai.APIStatusError],
    type_: str,
    retries: int,
    streamed: bool,
) -> None:
    with pytest.raises(raised) as caught:
        client.with_options(max_retries=retries).chat.completions.create(
            model="gpt-4o", messages=ask(f"[[sandbox:error={status}]]"), stream=streamed
        )

    assert caught.value.status_code == status
    assert caught.value.type == type_
    assert caught.value.request_id and caught.value.request_id.startswith("req_")
    assert isinstance(caught.value.body, dict)
    assert caught.value.body.keys() == {"message", "type", "param", "code"}


def test_a_quota_that_is_used_up_is_not_retried(client: OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="gpt-4o", messages=ask("[[sandbox:error=quota]]"))

    assert caught.value.type == "insufficient_quota"
    assert caught.value.response.headers["x-should-retry"] == "false"


def test_a_wrong_key_and_an_unknown_model(client: OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="losi-wrong").models.list()
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-99", messages=QUESTION)

    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


@pytest.mark.parametrize("directive", ["break_after=3", "error_after=3"])
def test_a_stream_that_breaks_raises_and_never_looks_whole(client: OpenAI, directive: str) -> None:
    stream = client.chat.completions.create(
        model="gpt-4o", messages=ask(f"[[sandbox:{directive}]]"), stream=True
    )

    seen = 0
    with pytest.raises(openai.APIError):
        for _ in stream:
            seen += 1
    assert seen == 3


def test_embeddings_in_base64_which_the_sdk_asks_for_by_itself(client: OpenAI) -> None:
    texts = ["The cat sleeps on the warm sofa.", "A cat sleeps on the sofa.", "Revenue grew."]
    answer = client.embeddings.create(model="text-embedding-3-small", input=texts)

    cat, kitten, tax = (one.embedding for one in answer.data)
    assert len(cat) == 1_536 and all(isinstance(number, float) for number in cat)
    assert dot(cat, kitten) > dot(cat, tax)
    assert answer.usage.prompt_tokens > 0 and answer.model == "text-embedding-3-small"


@pytest.mark.parametrize("given", ["text", ["two", "texts"], [1, 2, 3], [[1, 2], [3]]])
def test_embeddings_as_numbers_of_every_kind_of_input(
    client: OpenAI, given: str | list[str] | list[int] | list[list[int]]
) -> None:
    answer = client.embeddings.create(
        model="text-embedding-3-small", input=given, dimensions=4, encoding_format="float"
    )

    assert {len(one.embedding) for one in answer.data} == {4}


def test_a_chat_model_makes_no_embeddings(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="chat/completions"):
        client.embeddings.create(model="gpt-4o", input="Hello")


def dot(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
