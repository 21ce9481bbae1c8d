"""`functions`, where an upstream has tools alone, become tools and are answered as functions."""

from typing import Any

import pytest

from losi.catalogue.loader import SHIPPED, load
from losi.catalogue.models import Route
from losi.errors import InvalidRequestError
from losi.upstream.format import UpstreamCall
from losi.upstream.functions import prepare, takes_functions
from tests.fake_format import FakeExchange, chunks_of
from tests.loose import Json, loose

PROVIDERS = load(SHIPPED).providers
USER: Json = {"role": "user", "content": "Rome?"}
WEATHER = {"name": "weather", "parameters": {"type": "object"}}
ASKED: Json = {"model": "m", "messages": [USER], "functions": [WEATHER]}


def called(index: int, **function: str) -> Json:
    return {"index": index, "id": f"c{index}", "type": "function", "function": function}


class Upstream:
    """Calls two tools at once, whatever it is asked."""

    def __init__(self, refusal: InvalidRequestError | None = None) -> None:
        self.sent: Json = {}
        self.refusal = refusal

    def prepare(self, call: UpstreamCall) -> FakeExchange:
        self.sent = call.body
        return FakeExchange(self, call, mapped=frozenset({"tool_choice"}))

    async def complete(self, call: UpstreamCall) -> Json:
        if self.refusal:
            raise self.refusal
        calls = [called(0, name="weather", arguments="{}"), called(1, name="x", arguments="{}")]
        message = {"role": "assistant", "content": None, "tool_calls": calls}
        return {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}

    async def stream(self, call: UpstreamCall) -> Any:
        pieces = [called(0, name="weather", arguments=""), called(0, arguments="{}")]
        for piece in [*pieces, called(1, name="x", arguments="{}")]:
            delta = {"tool_calls": [piece]}
            yield {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}


def exchange(upstream: Upstream, provider: str = "anthropic", **body: Any) -> Any:
    route = Route(provider=PROVIDERS[provider], model="m")
    return prepare(upstream.prepare, UpstreamCall(loose({**ASKED, **body}), route, "req_1"))


@pytest.mark.parametrize(
    ("provider", "takes"),
    [
        ("openai", True),
        ("groq", True),
        ("vllm", True),
        ("openai-responses", False),
        ("anthropic", False),
        ("bedrock", False),
        ("mistral", False),
        ("gemini", False),
    ],
)
def test_who_takes_functions(provider: str, takes: bool) -> None:
    upstream = Upstream()

    exchange(upstream, provider)

    assert takes_functions(PROVIDERS[provider]) is takes
    assert ("functions" in upstream.sent) is takes
    assert ("tools" in upstream.sent) is not takes


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (None, None),
        ("auto", "auto"),
        ("none", "none"),
        ({"name": "weather"}, {"type": "function", "function": {"name": "weather"}}),
    ],
)
def test_they_are_asked_for_as_tools(choice: Any, sent: Any) -> None:
    upstream = Upstream()

    made = exchange(upstream, function_call=choice)

    assert upstream.sent["tools"] == [{"type": "function", "function": WEATHER}]
    assert upstream.sent.get("tool_choice") == sent
    assert upstream.sent["parallel_tool_calls"] is False
    assert not upstream.sent.keys() & {"functions", "function_call"}
    assert made.mapped == {"function_call"}


def test_calls_and_results_in_the_history() -> None:
    upstream = Upstream()
    said = {"role": "assistant", "content": "", "function_call": {"name": "f", "arguments": "{}"}}
    result = {"role": "function", "name": "f", "content": "sunny"}

    exchange(upstream, messages=[USER, said, result, said, result], functions=None)

    first, second = upstream.sent["messages"][1]["tool_calls"], upstream.sent["messages"][3]
    results = [upstream.sent["messages"][at] for at in (2, 4)]
    assert first[0]["function"] == {"name": "f", "arguments": "{}"}
    assert [r["role"] for r in results] == ["tool", "tool"]
    ids = [first[0]["id"], second["tool_calls"][0]["id"]]
    assert [r["tool_call_id"] for r in results] == ids and ids[0] != ids[1]


async def test_the_first_call_is_the_answer() -> None:
    answer = await exchange(Upstream()).complete()

    [choice] = answer["choices"]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {"name": "weather", "arguments": "{}"}
    assert "tool_calls" not in choice["message"]


async def test_and_of_a_stream() -> None:
    chunks = [chunk async for chunk in chunks_of(exchange(Upstream()).stream())]

    said = [c["choices"][0]["delta"].get("function_call") for c in chunks]
    assert said == [{"name": "weather", "arguments": ""}, {"arguments": "{}"}, None, None]
    assert chunks[-1]["choices"][0]["finish_reason"] == "function_call"


async def test_an_answer_without_a_call_stays_as_it_is() -> None:
    class Speaking(Upstream):
        async def complete(self, call: UpstreamCall) -> Json:
            message = {"role": "assistant", "content": "Sunny.", "tool_calls": None}
            return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}

        async def stream(self, call: UpstreamCall) -> Any:
            # what is told beside a call may come in a piece that has no words of the call
            for delta in ({"content": "Sunny."}, {"tool_calls": [{"index": 0, "id": "c0"}]}):
                yield {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
            yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}

    [choice] = (await exchange(Speaking()).complete())["choices"]
    chunks = [chunk async for chunk in chunks_of(exchange(Speaking()).stream())]

    assert choice["message"] == {"role": "assistant", "content": "Sunny."}
    assert choice["finish_reason"] == "stop"
    told = [chunk["choices"][0] for chunk in chunks]
    assert [one["delta"] for one in told] == [{"content": "Sunny."}, {}, {}]
    assert told[-1]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"functions": [{}]}, "functions[0]"),
        ({"functions": {"name": "f"}}, "functions"),
        ({"functions": [WEATHER, {"name": 5}]}, "functions[1]"),
        ({"function_call": {"name": 5}}, "function_call"),
        ({"functions": ["f"]}, "functions[0]"),
        ({"function_call": {}}, "function_call"),
        ({"function_call": ["f"]}, "function_call"),
        ({"function_call": "required"}, "function_call"),
        (
            {"messages": [{"role": "assistant", "function_call": {"name": "f"}}]},
            "messages[0].function_call",
        ),
    ],
)
def test_what_is_no_function_is_refused_by_name(body: Json, param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        exchange(Upstream(), **body)

    assert caught.value.param == param


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("tools[0].function.parameters", "functions[0].parameters"),
        ("tools[0].function.name.function", "functions[0].name.function"),
        ("tool_choice.function.name", "function_call.name"),
        ("messages[0].tools", "messages[0].tools"),
        (None, None),
    ],
)
async def test_a_refusal_names_what_the_caller_sent(ours: str | None, theirs: str | None) -> None:
    refusal = InvalidRequestError("No.", param=ours, code=None)

    with pytest.raises(InvalidRequestError) as caught:
        await exchange(Upstream(refusal)).complete()

    assert caught.value.param == theirs


async def test_tools_that_are_asked_for_as_such_are_answered_as_such() -> None:
    upstream = Upstream()
    tools = [{"type": "function", "function": WEATHER}]

    bodies: list[Json] = [{"tools": tools}, {"tools": tools, "functions": None}, {"functions": []}]

    for body in bodies:
        answer = await exchange(upstream, **body).complete()

        assert answer["choices"][0]["finish_reason"] == "tool_calls"
        assert "parallel_tool_calls" not in upstream.sent
