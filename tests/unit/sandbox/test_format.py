"""The sandbox as a caller's own tests meet it: deterministic, obeying parameters."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losi.errors import InvalidRequestError
from losi.sandbox.answers import answer
from losi.sandbox.directives import read
from losi.sandbox.format import Sandbox
from tests.loose import Json
from tests.unit.sandbox.sandbox_calls import WEATHER, call, completed, instantly, request


async def text_of(body: Json) -> str:
    return str((await completed(body))["choices"][0]["message"]["content"])


async def test_it_says_what_it_is_and_what_it_was_told() -> None:
    answer = await completed(request("Tell me a story"))

    message = answer["choices"][0]["message"]
    assert message["role"] == "assistant"
    assert "Losi sandbox" in message["content"]
    assert 'You said: "Tell me a story".' in message["content"]
    assert answer["choices"][0]["finish_reason"] == "stop"


async def test_the_same_request_gets_the_same_answer() -> None:
    assert await completed(request("Hi", n=2)) == await completed(request("Hi", n=2))
    assert await text_of(request("Hi")) != await text_of(request("Hello"))


async def test_the_answer_stays_the_same_from_one_release_to_the_next() -> None:
    assert await completed(request("Hello, world!")) == {
        "id": "chatcmpl-904372205b2b0869791ef267",
        "object": "chat.completion",
        "created": 1_767_225_600,
        "model": "sandbox-1",
        "system_fingerprint": "fp_sandbox",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": 'Hello from the Losi sandbox. You said: "Hello, world!".',
                    "refusal": None,
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 4,
            "completion_tokens": 14,
            "total_tokens": 18,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


async def test_the_order_of_a_messages_fields_changes_nothing() -> None:
    fields = {"role": "user", "content": "Hi"}
    backwards = dict(reversed(fields.items()))

    assert await completed({"messages": [fields]}) == await completed({"messages": [backwards]})


async def test_choices_begin_differently_and_say_which_they_are() -> None:
    choices = (await completed(request("Hello, world!", n=3)))["choices"]

    assert [choice["message"]["content"] for choice in choices] == [
        'Hello from the Losi sandbox. You said: "Hello, world!".',
        "This is the Losi sandbox, no real model was asked. "
        'You said: "Hello, world!". This is choice 2.',
        'The Losi sandbox received your message. You said: "Hello, world!". This is choice 3.',
    ]


@pytest.mark.parametrize(
    ("said", "quoted"),
    [
        ("", None),
        ("  one\n two  ", "one two"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 200 + "..."),
        ("x" * 200 + " y", "x" * 200 + "..."),
        ("y " * 100, ("y " * 100).strip()),
        ("y " * 101, "y " * 100 + "..."),
        ("a " + "z " * 500, "a " + "z " * 99 + "..."),
        ([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}, {}], "one two"),
        ([{"type": "refusal", "refusal": "no"}], "no"),
    ],
)
async def test_a_message_is_quoted_up_to_200_characters(said: Any, quoted: str | None) -> None:
    text = await text_of(request(said))

    assert text.partition(" You said: ")[2] == (f'"{quoted}".' if quoted else "")


TOOL = {"type": "function", "function": {"name": "é"}}


@pytest.mark.parametrize(
    ("message", "fields", "tokens"),
    [
        ({}, {}, 1),
        ({"content": ""}, {}, 1),
        ({"content": "x" * 5}, {}, 2),
        ({"name": "xx"}, {}, 1),
        ({"name": "xxx"}, {}, 2),
        ({"content": None, "tool_calls": [TOOL]}, {}, 13),
        ({"content": None, "function_call": {"name": "é"}}, {}, 4),
        ({}, {"tools": [TOOL]}, 12),
        ({}, {"functions": [{"name": "é"}]}, 4),
    ],
)
async def test_texts_names_calls_and_tools_count_as_prompt(
    message: Json, fields: Json, tokens: int
) -> None:
    body = {**request("Hi"), **fields}
    body["messages"][0] |= message

    assert (await completed(body))["usage"]["prompt_tokens"] == tokens


async def test_each_of_n_choices_has_a_text_of_its_own() -> None:
    choices = (await completed(request(n=5)))["choices"]

    assert [choice["index"] for choice in choices] == [0, 1, 2, 3, 4]
    assert len({choice["message"]["content"] for choice in choices}) == 5


async def test_usage_counts_four_characters_a_token() -> None:
    body = request("x" * 40, n=2)

    answered = await completed(body)

    texts = [choice["message"]["content"] for choice in answered["choices"]]
    spoken = sum(-(-len(text) // 4) for text in texts)
    assert answered["usage"]["prompt_tokens"] == 10
    assert answered["usage"]["completion_tokens"] == spoken
    assert answered["usage"]["total_tokens"] == 10 + spoken


async def test_refusals_and_calls_count_as_output() -> None:
    refused = await completed(request("[[sandbox:refusal]]"))
    text = '[[sandbox:arguments={"city":1234}]]'
    called = await completed(request(text, tools=[WEATHER]))

    said = refused["choices"][0]["message"]["refusal"]
    assert refused["usage"]["completion_tokens"] == -(-len(said) // 4)
    assert called["usage"]["completion_tokens"] == -(-len('get_weather{"city":1234}') // 4)


@pytest.mark.parametrize("n", [None, 0, -1, "2"])
async def test_without_a_number_of_choices_there_is_one(n: Any) -> None:
    assert len(answer(request(n=n), read("")).choices) == 1


async def test_tools_and_earlier_calls_count_as_prompt() -> None:
    plain = (await completed(request()))["usage"]["prompt_tokens"]
    tools = [{"type": "function", "function": {"name": "f", "description": "d" * 400}}]

    with_tools = (await completed(request(tools=tools)))["usage"]["prompt_tokens"]

    assert with_tools > plain + 100


async def test_images_count_a_fixed_number_of_tokens_and_are_mentioned() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 4000}}
    thumbnail = {"type": "image_url", "image_url": {"url": "https://a.example/b", "detail": "low"}}
    body = request([{"type": "text", "text": "Look"}, image, image, thumbnail])

    answer = await completed(body)

    assert answer["usage"]["prompt_tokens"] == 1 + 765 + 765 + 85
    assert "You sent 3 images." in answer["choices"][0]["message"]["content"]


@pytest.mark.parametrize("parameter", ["max_tokens", "max_completion_tokens"])
async def test_a_token_limit_cuts_the_text(parameter: str) -> None:
    whole = await text_of(request())

    answer = await completed(request(**{parameter: 5}))

    assert len(answer["choices"][0]["message"]["content"]) == 20
    assert whole.startswith(answer["choices"][0]["message"]["content"])
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 5


@pytest.mark.parametrize("limit", [None, True, "5"])
async def test_what_is_no_limit_cuts_nothing(limit: Any) -> None:
    whole = answer(request(), read(""))

    assert answer(request(max_tokens=limit), read("")) == whole


async def test_a_refusal_is_cut_like_a_text() -> None:
    whole = (await completed(request("[[sandbox:refusal]]")))["choices"][0]["message"]

    [choice] = (await completed(request("[[sandbox:refusal]]", max_tokens=5)))["choices"]

    assert choice["finish_reason"] == "length"
    assert choice["message"] == {**whole, "refusal": whole["refusal"][:20]}


@pytest.mark.parametrize(
    ("limit", "content", "arguments"), [(5, None, ['{"city":"']), (4, None, ['{"cit']), (2, "", [])]
)
async def test_a_call_is_cut_after_its_name_and_left_out_within_it(
    limit: int, content: str | None, arguments: list[str]
) -> None:
    [choice] = (await completed(request(tools=[WEATHER], max_tokens=limit)))["choices"]

    message = choice["message"]
    assert (message["content"], choice["finish_reason"]) == (content, "length")
    calls = message.get("tool_calls", [])
    assert [one["function"]["arguments"] for one in calls] == arguments


@pytest.mark.parametrize("stop", ["STOP", ["nowhere", "STOP", "later"], [5, "", "STOP"]])
async def test_a_stop_sequence_ends_the_text_before_it(stop: Any) -> None:
    body = request("[[sandbox:say=Before STOP and later]]", stop=stop)

    choice = (await completed(body))["choices"][0]

    assert (choice["message"]["content"], choice["finish_reason"]) == ("Before ", "stop")


async def test_reasoning_is_part_of_the_output_tokens_and_of_their_limit() -> None:
    usage = (await completed(request("Hi", reasoning_effort="low")))["usage"]
    limited = (await completed(request("Hi", reasoning_effort="low", max_tokens=70)))["usage"]

    assert usage["completion_tokens_details"]["reasoning_tokens"] == 64
    assert usage["completion_tokens"] > 64
    assert limited["completion_tokens"] == 70


@pytest.mark.parametrize(
    ("effort", "tokens"),
    [(None, 0), ("none", 0), ("minimal", 16), ("low", 64), ("medium", 256), ("high", 1024),
     ("xhigh", 2048)],
)  # fmt: skip
async def test_thinking_costs_what_the_effort_says_in_every_choice(
    effort: str | None, tokens: int
) -> None:
    usage = (await completed(request("Hi", reasoning_effort=effort, n=2)))["usage"]

    assert usage["completion_tokens_details"]["reasoning_tokens"] == 2 * tokens


async def test_an_image_alone_is_mentioned_in_the_singular() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://a.example/b"}}

    assert (await text_of(request([image]))).endswith(" You sent 1 image.")


async def test_json_mode_gives_a_json_object() -> None:
    text = await text_of(request('Say "høy"', response_format={"type": "json_object"}))

    assert 'You said: "Say "høy""' in json.loads(text)["message"]
    assert "høy" in text


async def test_structured_output_fits_the_schema() -> None:
    schema = {
        "type": "object",
        "properties": {
            "steps": {"type": "array", "items": {"type": "string"}},
            "answer": {"type": ["integer", "null"]},
        },
        "required": ["steps", "answer"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": schema}}

    text = await text_of(request(response_format=form))

    assert json.loads(text) == {"steps": ["sandbox"], "answer": 1}


async def test_words_that_are_dictated_come_before_a_schema() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "integer"}}}

    assert await text_of(request("[[sandbox:say=no]]", response_format=form)) == "no"


async def test_a_schema_that_cannot_be_met_is_the_callers_mistake() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"$ref": "#/nope"}}}

    with pytest.raises(InvalidRequestError, match="leads nowhere") as refused:
        await completed(request(response_format=form))

    assert refused.value.param == "response_format.json_schema.schema"


async def test_log_probabilities_are_given_when_asked_for() -> None:
    choice = (await completed(request(logprobs=True, top_logprobs=3)))["choices"][0]

    tokens = choice["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == choice["message"]["content"]
    assert all(len(token["top_logprobs"]) == 3 and token["logprob"] <= 0 for token in tokens)
    assert (await completed(request()))["choices"][0]["logprobs"] is None


async def test_log_probabilities_are_the_same_every_time() -> None:
    body = request("[[sandbox:say=Hi]]", logprobs=True, top_logprobs=3)
    hi = {"token": "Hi", "logprob": -0.10546875, "bytes": [72, 105]}

    assert (await completed(body))["choices"][0]["logprobs"] == {
        "content": [
            {
                **hi,
                "top_logprobs": [
                    hi,
                    {"token": "the", "logprob": -1.0, "bytes": [116, 104, 101]},
                    {"token": "a", "logprob": -2.0, "bytes": [97]},
                ],
            }
        ],
        "refusal": None,
    }


@pytest.mark.parametrize(("asked", "given"), [(None, 0), (0, 0), (1, 1), (2, 2), (20, 20)])
async def test_as_many_alternatives_are_given_as_asked_for(asked: int | None, given: int) -> None:
    body = request("[[sandbox:say=Hi]]", logprobs=True, top_logprobs=asked)

    (token,) = (await completed(body))["choices"][0]["logprobs"]["content"]
    assert len({other["token"] for other in token["top_logprobs"]}) == given


@pytest.mark.parametrize(
    ("directive", "fields", "refused"),
    [
        ("tokens=50000", {"n": 2}, False),
        ("tokens=50000", {"n": 3}, True),
        ("tokens=50000", {"top_logprobs": 1}, False),
        ("tokens=50000", {"top_logprobs": 2}, True),
        ("tokens=100000", {}, False),
        ("say=" + "x" * 4000, {"n": 100}, False),
        ("say=" + "x" * 4000, {"n": 101}, True),
    ],
)
def test_an_answer_that_would_be_enormous_is_refused(
    directive: str, fields: Json, refused: bool
) -> None:
    text = f"[[sandbox:{directive}]]"
    body = request(text, **fields)
    if not refused:
        answer(body, read(text))
        return
    with pytest.raises(InvalidRequestError, match="at most 100000 tokens") as caught:
        answer(body, read(text))

    assert (caught.value.param, caught.value.code) == ("messages", "invalid_value")


GARBAGE = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 300) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["type", "role", "content", "text", "function", "name", "parameters",
                         "custom", "format", "json_schema", "schema", "allowed_tools", "tools"]),
        inner,
        max_size=4,
    ),
    max_leaves=10,
)  # fmt: skip
PARAMETERS = ["messages", "tools", "tool_choice", "functions", "function_call", "response_format",
              "n", "stop", "max_tokens", "logprobs", "top_logprobs", "reasoning_effort",
              "parallel_tool_calls"]  # fmt: skip


@given(st.dictionaries(st.sampled_from(PARAMETERS), GARBAGE, max_size=6))
async def test_nonsense_gets_an_answer_or_a_refusal_never_a_crash(body: Json) -> None:
    try:
        await Sandbox(instantly).prepare(call(body)).complete()
    except InvalidRequestError as error:
        assert error.param
