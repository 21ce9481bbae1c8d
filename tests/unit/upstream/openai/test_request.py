"""What a provider of OpenAI's format refuses is not sent to it."""

from typing import Any

import pytest

from losi.catalogue.loader import SHIPPED, load
from losi.catalogue.models import Route
from losi.chat.prepare import nearest_effort, prepare
from losi.chat.request import parse_chat_request
from losi.errors import InvalidRequestError
from losi.upstream.openai.request import request_body
from tests.loose import Json, loose

CATALOGUE = load(SHIPPED)
USER: Json = {"role": "user", "content": "Hi"}
MARK = {"cache_control": {"type": "ephemeral"}}
LONG = "functions.get_weather:0__thought__" + "A" * 60


def prepared(provider: str, **body: Any) -> Any:
    model = CATALOGUE.models["gpt-4o"]
    request = parse_chat_request({"model": "gpt-4o", "messages": [USER], **body})
    return prepare(request, model, Route(provider=CATALOGUE.providers[provider], model="m"))


def sent(provider: str, **body: Any) -> Json:
    return request_body(CATALOGUE.providers[provider], prepared(provider, **body).body)


def calling(call_id: str, name: str = "f") -> list[Json]:
    call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": "{}"}}
    return [
        USER,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call_id, "content": "x"},
    ]


@pytest.mark.parametrize("provider", ["openai", "azure", "groq", "mistral", "gemini"])
class TestStrictProviders:
    def test_marks_of_other_providers(self, provider: str) -> None:
        part = {"type": "text", "text": "Hi", **MARK}
        tool = {"type": "function", "function": {"name": "f"}, **MARK}
        messages = [{"role": "user", "content": [part], **MARK}]
        body = sent(provider, messages=messages, tools=[tool], **MARK)
        assert "cache_control" not in str(body)

    @pytest.mark.parametrize("name", ["thinking_blocks", "reasoning_content", "annotations"])
    def test_fields_of_answers_that_are_sent_back(self, provider: str, name: str) -> None:
        answer = {"role": "assistant", "content": "x", name: []}
        assert name not in sent(provider, messages=[USER, answer, USER])["messages"][1]

    @pytest.mark.parametrize(
        "name", ["top_k", "thinking", "chat_template_kwargs", "min_p", "cache_control"]
    )
    def test_parameters_of_other_providers_are_dropped_and_told(
        self, provider: str, name: str
    ) -> None:
        assert name not in sent(provider, **{name: {"a": 1}})
        assert name in prepared(provider, **{name: {"a": 1}}).dropped


@pytest.mark.parametrize("provider", sorted(CATALOGUE.providers.keys() - {"sandbox"}))
@pytest.mark.parametrize("lists", [{"tools": []}, {"functions": []}, {"tools": None}, {}])
def test_choices_among_no_tools_are_not_sent(provider: str, lists: Json) -> None:
    body = {**lists, "tool_choice": "auto", "parallel_tool_calls": True, "function_call": "auto"}
    left = prepared(provider, **body).body
    assert not left.keys() & {"tools", "functions", *body}


@pytest.mark.parametrize(
    ("provider", "call_id", "fits"),
    [
        ("openai", "call_1", True),
        ("openai", LONG, False),
        ("azure", LONG, False),
        ("mistral", "abcDEF123", True),
        ("mistral", "call_1", False),
        ("vllm", LONG, True),
    ],
)
def test_ids_are_replaced_where_they_do_not_fit(provider: str, call_id: str, fits: bool) -> None:
    _, answer, result = sent(provider, messages=calling(call_id))["messages"]
    there = answer["tool_calls"][0]["id"]
    assert there == result["tool_call_id"]
    assert (there == call_id) is fits
    assert len(there) == (9 if provider == "mistral" else 37) or fits


@pytest.mark.parametrize("name", ["fs.list dir", "n" * 94, "größe", "a:b", "mcp/x"])
def test_names_in_the_history_are_made_to_fit(name: str) -> None:
    messages = sent("openai", messages=calling("c1", name))["messages"]
    made = messages[1]["tool_calls"][0]["function"]["name"]
    assert made.isascii() and made.replace("_", "a").replace("-", "a").isalnum()
    assert len(made) <= 64


@pytest.mark.parametrize("name", ["prompt_cache_key", "safety_identifier"])
def test_keys_that_are_too_long_are_hashed(name: str) -> None:
    assert sent("openai", **{name: "k" * 64})[name] == "k" * 64
    hashed = sent("openai", **{name: "k" * 65})[name]
    assert len(hashed) == 64 and hashed != sent("openai", **{name: "j" * 65})[name]


def test_json_is_named_where_any_object_is_wanted() -> None:
    body = sent("openai", response_format={"type": "json_object"})
    assert "JSON" in body["messages"][-1]["content"][-1]["text"]
    spoken = [{"role": "user", "content": "As json, please."}]
    assert (
        sent("openai", messages=spoken, response_format={"type": "json_object"})["messages"]
        == spoken
    )


@pytest.mark.parametrize(
    ("asked", "efforts", "nearest"),
    [
        ("xhigh", ("none", "low", "medium", "high", "max"), "high"),
        ("max", ("low", "medium", "high", "xhigh"), "xhigh"),
        ("none", ("low", "medium"), "low"),
        ("minimal", ("none", "low"), "none"),
        ("medium", ("none", "high"), "high"),
        ("low", ("high",), "high"),
    ],
)
def test_the_nearest_effort(asked: str, efforts: tuple[str, ...], nearest: str) -> None:
    assert nearest_effort(asked, efforts) == nearest


def test_a_word_that_is_no_effort() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        nearest_effort("most", ("low",))
    assert caught.value.param == "reasoning_effort"


@pytest.mark.parametrize(
    ("media_type", "is_text"),
    [
        ("text/plain", True),
        ("text/csv;charset=utf-8", True),
        ("TEXT/MARKDOWN", True),
        ("", True),  # RFC 2397: text/plain
        ("application/json", True),
        ("application/ld+json", True),
        ("application/pdf", False),
        ("application/octet-stream", False),
    ],
)
@pytest.mark.parametrize("provider", ["groq", "mistral", "gemini", "azure"])
def test_files_of_text_are_said_where_files_are_refused(
    provider: str, media_type: str, is_text: bool
) -> None:
    data = f"data:{media_type};base64,YTti"
    part = {"type": "file", "file": {"filename": 'a "b".csv', "file_data": data}}

    [message] = sent(provider, messages=[{"role": "user", "content": [part]}])["messages"]

    said = {"type": "text", "text": '<file name="a \\"b\\".csv">\na;b\n</file>'}
    assert (message["content"] == [said]) is is_text


def test_a_file_of_text_that_is_no_text_is_refused_by_name() -> None:
    part = {"type": "file", "file": {"file_data": "data:text/plain;base64,/w=="}}

    with pytest.raises(InvalidRequestError) as caught:
        sent("groq", messages=[USER, {"role": "user", "content": [part]}])

    assert caught.value.param == "messages[1].content[0]"


SIGNED = {"google": {"thought_signature": "c2ln"}}
#: https://ai.google.dev/gemini-api/docs/thought-signatures#faqs
INSTEAD = {"google": {"thought_signature": "skip_thought_signature_validator"}}


@pytest.mark.parametrize(
    ("provider", "model", "extra", "expected"),
    [
        ("gemini", "gemini-3-pro", None, INSTEAD),
        ("gemini", "gemini-3-pro", {"google": {}}, INSTEAD),
        ("gemini", "gemini-3-pro", SIGNED, SIGNED),
        ("gemini", "gemini-2.5-pro", None, None),
        ("openai", "gpt-4o", None, None),
    ],
)
def test_calls_that_others_made_are_signed_in_their_place(
    provider: str, model: str, extra: Json | None, expected: Json | None
) -> None:
    messages = calling("call_1")
    if extra is not None:
        messages[1]["tool_calls"][0]["extra_content"] = extra
    body = {"model": model, "messages": messages}

    sent = loose(request_body(CATALOGUE.providers[provider], loose(body)))
    call = sent["messages"][1]["tool_calls"][0]

    assert call.get("extra_content") == expected
    assert messages[1]["tool_calls"][0].get("extra_content") == extra


EMPTY: Json = {"role": "user", "content": ""}


def answer(text: str) -> Json:
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([EMPTY], ["(empty message)"]),
        ([USER, EMPTY], ["Hi"]),
        (
            [USER, {"role": "assistant", "content": "Yes?"}, EMPTY],
            ["Hi", "Yes?", "(empty message)"],
        ),
        ([USER, {"role": "assistant", "content": ""}, USER], ["Hi", "Hi"]),
    ],
)
def test_empty_messages_are_left_out_or_named_where_they_are_refused(
    messages: list[Json], said: list[str]
) -> None:
    assert [m["content"] for m in sent("mistral", messages=messages)["messages"]] == said
    assert sent("groq", messages=messages)["messages"] == messages


@pytest.mark.parametrize(("provider", "role"), [("openai", "developer"), ("groq", "system")])
def test_developers_are_the_system_where_no_others_are_known(provider: str, role: str) -> None:
    messages = [{"role": "developer", "content": "Be brief."}, USER]
    assert [one["role"] for one in sent(provider, messages=messages)["messages"]] == [role, "user"]
