"""Estimates: what a hold is made of, and what is billed where a provider tells no usage."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from losi.metering.estimate import (
    ANSWER_TOKENS,
    IMAGE_TOKENS,
    MESSAGE_TOKENS,
    PAGE_TOKENS,
    SECOND_TOKENS,
    SPOKEN_TOKENS,
    estimated,
    input_tokens,
    produced_characters,
    text_tokens,
)
from losi.metering.usage import Usage, estimate_tokens
from tests.loose import Json, loose

DATA = Path(__file__).parents[2] / "data"
TEN = "0123456789"
WORDS = "ten words " * 4


def _pdf(characters: int) -> str:
    return "data:application/pdf;base64,".ljust(characters, "A")


def call(**fields: Any) -> Json:
    return {"tool_calls": [{"index": 0, "id": "call_1", **fields}]}


@pytest.mark.parametrize(
    ("part", "characters"),
    [
        ({"role": "assistant"}, 0),
        ({"content": None}, 0),
        ({"content": TEN}, 10),
        ({"reasoning_content": TEN, "content": TEN}, 20),
        ({"reasoning": TEN}, 10),
        ({"refusal": TEN}, 10),
        (call(type="function", function={"name": "f", "arguments": TEN}), 11),
        (call(type="function", function={"arguments": TEN}), 10),
        (call(type="custom", custom={"name": "f", "input": TEN}), 11),
        ({"function_call": {"name": "f", "arguments": TEN}}, 11),
        ({**call(function={"name": "f", "arguments": TEN}), "content": TEN}, 21),
    ],
)
def test_everything_that_a_model_says_counts(part: Json, characters: int) -> None:
    assert produced_characters(part) == characters


@pytest.mark.parametrize(
    "part",
    [
        {"content": 5, "refusal": [TEN]},
        {"tool_calls": "none"},
        {"tool_calls": [None, 5, {"function": "f"}, {"custom": None}]},
        {"function_call": TEN},
        call(function={"name": None, "arguments": {"a": 1}}),
    ],
)
def test_what_has_another_form_counts_nothing(part: Json) -> None:
    assert produced_characters(part) == 0


def asking(content: Any, **fields: Any) -> Json:
    return {"messages": [{"role": "user", "content": content, **fields}]}


def part(kind: str, **fields: Any) -> Json:
    return asking([{"type": kind, **fields}])


def by_the_assistant(**fields: Any) -> Json:
    return {"messages": [{"role": "assistant", "content": None, **fields}]}


def block(**fields: Any) -> Json:
    return by_the_assistant(thinking_blocks=[{"type": "thinking", **fields}])


#: Wherever a request has room for a text that is sent, and may be read.
PLACES: dict[str, Callable[[str], Json]] = {
    "content": asking,
    "a text part": lambda text: part("text", text=text),
    "the text of an image part": lambda text: part("image_url", image_url={"url": ""}, text=text),
    "the text of a file part": lambda text: part("file", file={"file_data": ""}, text=text),
    "an image without text": lambda text: part("image_url", text="", alt=text),
    "a refusal part": lambda text: part("refusal", refusal=text),
    "a part of another type": lambda text: part("document", document={"pages": [text]}),
    "a part's type": part,
    "a name in a part": lambda text: part("text", text="", **{f"_{text}": 1}),
    "a text file": lambda text: part("file", file={"file_data": f"data:text/plain,{text}"}),
    "the name of a file": lambda text: part("file", file={"filename": text}),
    "the author's name": lambda text: asking("Hi", name=text),
    "reasoning": lambda text: by_the_assistant(reasoning_content=text),
    "a refusal": lambda text: by_the_assistant(refusal=text),
    "a transcript": lambda text: by_the_assistant(audio={"id": "a", "transcript": text}),
    "thinking": lambda text: block(thinking=text),
    "its signature": lambda text: block(signature=text),
    "redacted thinking": lambda text: block(data=text),
    "arguments": lambda text: by_the_assistant(**call(function={"arguments": text})),
    "the name of a call": lambda text: by_the_assistant(**call(function={"name": text})),
    "the input of a call": lambda text: by_the_assistant(**call(custom={"input": text})),
    "the id of a call": lambda text: by_the_assistant(tool_calls=[{"id": text}]),
    "an old call": lambda text: by_the_assistant(function_call={"arguments": text}),
    "the id of a result": lambda text: asking("x", tool_call_id=text),
    "an unknown field": lambda text: asking("x", partial=text),
    "tools": lambda text: {**asking("x"), "tools": [{"description": text}]},
    "functions": lambda text: {**asking("x"), "functions": [{"description": text}]},
    "a schema": lambda text: {**asking("x"), "response_format": {"json_schema": {"name": text}}},
    "a prediction": lambda text: {**asking("x"), "prediction": {"content": text}},
    "an unknown parameter": lambda text: {**asking("x"), "documents": [text]},
}
#: Texts of many scripts, with the number of their tokens (tests/data/README.md).
COUNTED = orjson.loads((DATA / "tokens" / "o200k.json").read_bytes())


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
def test_no_text_counts_less_than_a_quarter_of_its_bytes(
    place: Callable[[str], Json], text: str
) -> None:
    """No encoding of a vendor makes more tokens of a text than it has bytes."""
    assert input_tokens(place(text)) >= len(text.encode()) / 4


@pytest.mark.parametrize("kind", sorted({kind for kind, _, _ in COUNTED}))
def test_texts_made_to_be_dear_count_a_quarter_of_their_tokens(kind: str) -> None:
    for _, tokens, text in (row for row in COUNTED if row[0] == kind):
        assert tokens <= len(text.encode())
        assert text_tokens(text) >= tokens / 4


@pytest.mark.parametrize(("kind", "most"), [("english", 1.35), ("python", 1.1), ("json", 1.0)])
def test_what_most_callers_send_counts_about_what_it_is(kind: str, most: float) -> None:
    for _, tokens, text in (row for row in COUNTED if row[0] == kind):
        assert 0.7 < text_tokens(text) / tokens < most


def test_plain_english_follows_the_four_characters_rule() -> None:
    for _, _, text in (row for row in COUNTED if row[0] == "english"):
        assert text_tokens(text) == estimate_tokens(len(text))


def test_lone_surrogates_count_too() -> None:
    assert text_tokens("\ud800" * 8) == 6


def test_a_prompt_counts_its_text_tools_and_schema() -> None:
    plain = input_tokens(asking(WORDS))
    with_tools = input_tokens(loose({**asking(WORDS), "tools": [{"type": "function"}]}))
    with_both = input_tokens(
        loose(
            {
                **asking(WORDS),
                "tools": [{"type": "function"}],
                "response_format": {"type": "json_object"},
            }
        )
    )

    assert plain == 11 + MESSAGE_TOKENS + ANSWER_TOKENS  # with its role
    assert plain < with_tools < with_both


def test_what_no_model_reads_counts_nothing() -> None:
    unread = {"model": WORDS, "user": WORDS, "metadata": {"a": WORDS}, "stop": [WORDS], "seed": 5}

    assert input_tokens(loose({**asking("Hi"), **unread})) == input_tokens(asking("Hi"))


@pytest.mark.parametrize("text", [None, "", TEN])
def test_an_image_counts_as_one_and_not_as_its_base64(text: str | None) -> None:
    """Whatever stands beside it: a text that is empty does not make it a text."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    beside = {} if text is None else {"text": text}

    tokens = input_tokens(asking([{**image, **beside}, image]))

    assert 0 <= tokens - 2 * IMAGE_TOKENS <= 30


@pytest.mark.parametrize(
    ("uri", "tokens"),
    [
        ("data:text/plain;base64,", 1_250_000),
        ("data:text/csv;base64,", 1_250_000),
        ("", 1_250_000),
        ("data:application/pdf;base64,", 58_000),
    ],
)
def test_a_file_counts_by_its_size(uri: str, tokens: int) -> None:
    body = part("file", file={"file_data": uri + "A" * 5_000_000})

    assert tokens < input_tokens(body) < tokens * 1.02


def test_a_file_is_a_page_at_least() -> None:
    for file in ({"file_id": "file-1"}, {"file_data": "data:application/pdf;base64,QQ=="}):
        assert input_tokens(part("file", file=file)) > PAGE_TOKENS


@pytest.mark.parametrize(
    ("form", "seconds_of_base64"),
    [("wav", 64_000), ("wav", 2_134), ("mp3", 21_334), ("mp3", 1_334), ("aac", 1_334), (5, 1_334)],
)
def test_sound_counts_a_quarter_of_its_seconds_at_least(form: Any, seconds_of_base64: int) -> None:
    sound = {"format": form, "data": "A" * (seconds_of_base64 * 600)}

    assert input_tokens(part("input_audio", input_audio=sound)) >= 600 * SECOND_TOKENS / 4


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("a" * 20, 5),  # a quarter of the bytes, which is more than a fifth of the letters
        ("!" * 10, 5),
        ("a" * 20 + "!" * 20, 4 + 10),
        ("a" * 19 + "!" * 20, 3 + 10),
        ("a" * 20 + "!" * 19, 4 + 9),
        ("é" * 10 + "!" * 20, 5 + 10),
        ("é" * 9 + "!" * 20, 4 + 10),
        ("Az \n" * 10, 6 + 5),
    ],
)
def test_symbols_count_more_than_letters(text: str, tokens: int) -> None:
    assert text_tokens(text) == tokens


@pytest.mark.parametrize(
    ("part", "tokens"),
    [
        ({"image_url": {"url": "x" * 999}}, 1_200),
        ({"image_url": {"url": "x" * 999, "detail": "high"}}, 1_200 + 1),
        ({"audio": {"id": ""}}, 1_000),
        ({"input_audio": {"format": "", "data": "A" * (170 * 9)}}, 10),
        ({"input_audio": {"format": "", "data": "A" * (170 * 11)}}, 11),
        ({"input_audio": {"format": "", "data": "A" * (170 * 11 - 1)}}, 10),
        ({"input_audio": {"format": "wav", "data": "A" * (850 * 11)}}, 11 + 1),
        ({"input_audio": {"format": "wav", "data": "A" * (850 * 11 - 1)}}, 10 + 1),
        ({"file": {}}, 2_500),
        ({"file": {"file_data": "A" * 10_004}}, 2_501),
        ({"file": {"file_data": _pdf(85 * 2_501)}}, 2_501),
        ({"file": {"file_data": _pdf(85 * 2_501 - 1)}}, 2_500),
        ({"file": {"file_data": _pdf(85 * 2_501).upper()}}, 2_501),
        ({"data": 123_456_789_012}, 5),
        ({"data": 1.5}, 1),
        ({"data": True}, 0),
        ({"data": None}, 0),
    ],
)
def test_what_a_part_counts_exactly(part: Json, tokens: int) -> None:
    """Beside the role, whose four letters are one token."""
    assert input_tokens(asking([part])) - input_tokens(asking([])) == tokens


def test_each_message_and_the_answer_have_their_framing() -> None:
    message = {"role": "", "content": ""}

    assert [input_tokens(loose({"messages": [message] * n})) for n in range(4)] == [4, 7, 10, 13]


def test_an_answer_that_was_spoken_counts_though_it_is_named_only() -> None:
    assert input_tokens(by_the_assistant(audio={"id": "audio_1"})) > SPOKEN_TOKENS


def test_no_more_is_billed_than_the_answer_was_allowed() -> None:
    assert estimated(input_tokens=7, characters=40, most_output=100) == Usage(7, 10, estimated=True)
    assert estimated(input_tokens=7, characters=4_000, most_output=100) == Usage(
        7, 100, estimated=True
    )
