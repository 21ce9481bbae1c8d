"""The sandbox's streams have OpenAI's shape, and put together again they are the whole answer."""

from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from losi.metering.usage import from_openai
from tests.unit.sandbox.sandbox_calls import WEATHER, completed, request, streamed


async def test_a_stream_has_the_shape_of_openais() -> None:
    chunks = await streamed(request("[[sandbox:say=one two]]"))

    deltas = [chunk["choices"][0]["delta"] for chunk in chunks[:-1]]
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]]
    assert deltas == [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "one "},
        {"content": "two"},
        {},
    ]
    assert reasons == [None, None, None, "stop"]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 2
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    assert len({(chunk["id"], chunk["created"]) for chunk in chunks}) == 1


async def test_several_choices_are_streamed_in_turn() -> None:
    chunks = await streamed(request("[[sandbox:say=one two]]", n=2))

    assert [chunk["choices"][0]["index"] for chunk in chunks[:-1]] == [0, 1] * 4


BODIES = {
    "text": request(),
    "choices": request(n=3, stop=["sandbox"]),
    "cut": request(max_tokens=3),
    "nothing left": request(max_tokens=0),
    "empty": request("[[sandbox:empty]]"),
    "refusal": request("[[sandbox:refusal]]"),
    "logprobs": request(logprobs=True, top_logprobs=2),
    "tool": request(tools=[WEATHER]),
    "tools": request("[[sandbox:parallel=3]]", tools=[WEATHER], n=2),
    "cut tool": request(tools=[WEATHER], max_tokens=5),
    "tool cut away": request(tools=[WEATHER], max_tokens=1),
    "legacy": request(functions=[WEATHER["function"]]),
    "json": request(response_format={"type": "json_object"}),
    "unicode": request("[[sandbox:say= Grüße,\n\tこんにちは 👋🏽 ]]"),
    "filtered": request("[[sandbox:finish=content_filter]]"),
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_stream_put_together_again_is_the_whole_answer(name: str) -> None:
    whole = ChatCompletion.model_validate(await completed(BODIES[name]))

    state = ChatCompletionStreamState()
    for chunk in await streamed(BODIES[name]):
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))

    assert essence(state.current_completion_snapshot) == essence(whole)


def essence(completion: Any) -> Any:
    """What a caller reads, without the fields that only the accumulator adds."""
    return (
        completion.id,
        completion.created,
        completion.model,
        from_openai(completion.usage.model_dump()),
        [
            (
                choice.index,
                choice.finish_reason,
                choice.message.role,
                choice.message.content,
                choice.message.refusal,
                [
                    (made.id, made.type, made.function.name, made.function.arguments)
                    for made in choice.message.tool_calls or ()
                ],
                choice.message.function_call and choice.message.function_call.arguments,
                choice.logprobs and [token.model_dump() for token in choice.logprobs.content],
            )
            for choice in completion.choices
        ],
    )


async def test_only_deltas_carry_what_is_new() -> None:
    chunks = await streamed(request(tools=[WEATHER]))

    calls = [
        delta["tool_calls"][0]
        for chunk in chunks[:-1]
        if "tool_calls" in (delta := chunk["choices"][0]["delta"])
    ]
    assert calls[0]["function"] == {"name": "get_weather", "arguments": ""}
    assert [set(made) for made in calls[1:]] == [{"index", "function"}] * (len(calls) - 1)
    assert all(set(made["function"]) == {"arguments"} for made in calls[1:])


async def test_the_first_piece_of_an_older_function_call_has_all_that_names_it() -> None:
    chunks = await streamed(request(functions=[WEATHER["function"]]))

    pieces = [
        delta["function_call"]
        for chunk in chunks[:-1]
        if "function_call" in (delta := chunk["choices"][0]["delta"])
    ]
    assert pieces[0] == {"name": "get_weather", "arguments": ""}
    assert all(set(piece) == {"arguments"} for piece in pieces[1:])
