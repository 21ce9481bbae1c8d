"""Tool calls of a stream: whatever a provider makes of them, SDKs add them up to the same calls."""

import json
from typing import Any

import pytest

from losi.upstream.openai.tool_calls import ToolCalls, whole_calls
from tests.loose import Json

OSLO = '{"city": "Oslo"}'


def piece(index: Any = 0, id: Any = None, name: Any = None, arguments: Any = None) -> Json:
    function = {"name": name, "arguments": arguments}
    said = {key: value for key, value in function.items() if value is not None}
    return {"index": index, "id": id, "type": "function", "function": said}


def added_up(*pieces: Any) -> list[Json]:
    """What OpenAI's SDKs make of them: strings of one index are joined, ids too."""
    calls, added = ToolCalls(), dict[int, Json]()
    said = [one for given in pieces for one in calls.feed([given])] + calls.finish()
    for one in said:
        known = added.setdefault(one["index"], {"id": "", "name": "", "arguments": ""})
        known["id"] += one.get("id", "")
        for field, text in one.get("function", {}).items():
            assert isinstance(text, str)
            known[field] += text
    assert list(added) == list(range(len(added)))
    return list(added.values())


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([piece(id="a", name="weather", arguments=OSLO)], id="whole"),
        pytest.param(
            [
                piece(id="a", name="weather", arguments=""),
                piece(arguments='{"city":'),
                piece(arguments=' "Oslo"}'),
            ],
            id="as OpenAI does",
        ),
        pytest.param(
            [
                piece(id="a", name="weather", arguments=""),
                piece(id="b", arguments='{"city":'),
                piece(id="c", arguments=' "Oslo"}'),
            ],
            id="an id that changes",
        ),
        pytest.param(
            [
                piece(id="a", name="weather", arguments='{"city":'),
                piece(id="b", name="weather", arguments=' "Oslo"}'),
            ],
            id="an id that changes, with the name again",
        ),
        pytest.param(
            [piece(id="a", arguments=""), piece(id="a", name="weather", arguments=OSLO)],
            id="a late name",
        ),
        pytest.param(
            [piece(id="a", arguments='{"city":'), piece(name="weather", arguments=' "Oslo"}')],
            id="a name after the arguments began",
        ),
        pytest.param(
            [piece(id="a", name="wea"), piece(name="ther"), piece(arguments=OSLO)],
            id="a name in pieces",
        ),
        pytest.param(
            [piece(id="a", name="wea"), piece(id="a", name="weather"), piece(arguments=OSLO)],
            id="a name that grows",
        ),
        pytest.param(
            [
                piece(id="a", name="weather", arguments=""),
                piece(id="a", name="weather", arguments=OSLO),
            ],
            id="id and name repeated",
        ),
        pytest.param(
            [piece(id="a", name="weather"), piece(name="weather", arguments=OSLO)],
            id="the name repeated",
        ),
        pytest.param(
            [
                piece(name="weather"),
                piece(id="a", arguments='{"city":'),
                piece(arguments=' "Oslo"}'),
            ],
            id="a late id",
        ),
        pytest.param(
            [piece(id="", name="weather"), piece(id="", name="", arguments=OSLO)],
            id="empty id and name",
        ),
        pytest.param([piece(id="a", name="weather", arguments={"city": "Oslo"})], id="an object"),
        pytest.param(
            [piece(id="a", name="weather", arguments={}), piece(arguments=OSLO)],
            id="an empty object first",
        ),
        pytest.param(
            [piece(id="a", name="weather", arguments="{}"), piece(arguments=OSLO)],
            id="empty braces first",
        ),
        pytest.param(
            [piece(id="a", name="weather", arguments=OSLO), piece(id="a", arguments=OSLO)],
            id="all of it again",
        ),
        pytest.param(
            [piece(None, id="a", name="weather"), piece(None, arguments=OSLO)], id="no index"
        ),
        pytest.param(
            [piece(-1, id="a", name="weather"), piece(-1, arguments=OSLO)], id="a negative index"
        ),
        pytest.param(
            [piece("0", id="a", name="weather"), piece(0, arguments=OSLO)], id="an index as text"
        ),
        pytest.param(
            [piece(3, id="a", name="weather"), piece(3, arguments=OSLO)], id="not from zero"
        ),
        pytest.param(
            [{}, {"index": 0, "function": None}, piece(id="a", name="weather", arguments=OSLO)],
            id="pieces that say nothing",
        ),
    ],
)
def test_one_call(pieces: list[Json]) -> None:
    [call] = added_up(*pieces)

    assert call["name"] == "weather"
    assert json.loads(call["arguments"]) == {"city": "Oslo"}
    assert call["id"] == "a" or call["id"].startswith("call_")


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([piece(0, "a", "f", "{}"), piece(1, "b", "g", "{}")], id="as OpenAI does"),
        pytest.param([piece(0, "a", "f", "{}"), piece(0, "b", "g", "{}")], id="one index"),
        pytest.param([piece(0, "a", "f"), piece(0, "b", "g")], id="one index, no arguments"),
        pytest.param(
            [
                piece(0, None, "f", '{"a":1}'),
                piece(0, None, "g", '{"a":'),
                piece(0, arguments="1}"),
            ],
            id="one index, no ids",
        ),
        pytest.param([piece(None, "a", "f", "{}"), piece(None, "b", "g", "{}")], id="no index"),
        pytest.param(
            [
                piece(None, "a", "f"),
                piece(None, "b", "g"),
                piece(None, "a", arguments="{}"),
                piece(None, "b", arguments="{}"),
            ],
            id="no index, in turn",
        ),
        pytest.param(
            [piece(0, "a", "f"), piece(1, "b", "g"), piece(0, arguments="{}"), piece(1)],
            id="in turn",
        ),
        pytest.param([piece(0, "a", "f"), piece(2, "b", "g")], id="with a gap"),
        pytest.param(
            [piece(None, "a", "f"), piece(None, "b", "g"), piece(None, "b", arguments="{}")],
            id="no index, the last goes on",
        ),
    ],
)
def test_two_calls(pieces: list[Json]) -> None:
    first, second = added_up(*pieces)

    assert (first["name"], second["name"]) == ("f", "g")
    assert first["id"] != second["id"]
    assert isinstance(json.loads(first["arguments"]), dict)
    assert isinstance(json.loads(second["arguments"]), dict)


@pytest.mark.parametrize("nothing", [None, "", {}, "{}", " "])
def test_a_call_without_arguments_has_none(nothing: Any) -> None:
    [call] = added_up(piece(id="a", name="now", arguments=nothing))

    assert call["arguments"].strip() == "{}"


def test_the_first_piece_has_all_that_names_the_call() -> None:
    calls = ToolCalls()
    held = calls.feed([{"index": 0, "id": "a", "extra_content": {"signature": "s"}}])
    [opened] = calls.feed([piece(name="f", arguments="{")])

    assert held == []
    assert opened == {
        "index": 0,
        "id": "a",
        "type": "function",
        "extra_content": {"signature": "s"},
        "function": {"name": "f", "arguments": "{"},
    }


def test_a_custom_tools_input_is_any_text() -> None:
    calls = ToolCalls()
    custom = {"index": 0, "id": "a", "type": "custom", "custom": {"name": "sql", "input": ""}}
    said = calls.feed([custom]) + calls.feed([{"index": 0, "custom": {"input": "select 1"}}])

    assert [one["custom"]["input"] for one in said] == ["", "select 1"]
    calls.feed([{**custom, "index": 1, "id": "b"}])
    assert calls.finish() == []


@pytest.mark.parametrize("told", [None, [], {}, 5, "x", [5], [{"id": "a"}], [{"function": "f"}]])
def test_what_is_no_call(told: Any) -> None:
    assert whole_calls(told) == []
    assert ToolCalls().feed(told) == []


@pytest.mark.parametrize(
    "call",
    [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": OSLO}},
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": {"city": "Oslo"}}},
        {"id": "a", "function": {"name": "f", "arguments": OSLO}},
        {"id": "a", "type": "", "function": {"name": "f", "arguments": OSLO}},
        {"id": None, "type": "function", "function": {"name": "f", "arguments": OSLO}},
    ],
)
def test_calls_of_a_plain_answer(call: Json) -> None:
    [whole] = whole_calls([call])

    assert whole["id"] and whole["type"] == "function"
    assert json.loads(whole["function"]["arguments"]) == {"city": "Oslo"}


def test_whole_calls_word_for_word() -> None:
    """What OpenAI has no field for stays; what it has is of its types."""
    function = {"index": 3, "id": 7, "extra": 1, "function": {"name": "f", "arguments": None}}
    custom = {"id": "b", "type": "x", "custom": {"name": 5, "input": ""}}
    arguments = {"id": "c", "function": {"name": None, "arguments": {"city": "Tromsø"}}}

    assert whole_calls([function, custom, arguments]) == [
        {
            "index": 3,
            "id": "7",
            "type": "function",
            "extra": 1,
            "function": {"name": "f", "arguments": "{}"},
        },
        {"id": "b", "type": "custom", "custom": {"name": "5", "input": ""}},
        {
            "id": "c",
            "type": "function",
            "function": {"name": "", "arguments": '{"city": "Tromsø"}'},
        },
    ]
    [alone] = whole_calls({"id": True, "function": {"name": "f"}})
    assert len(alone["id"]) == len("call_") + 24


def test_pieces_word_for_word() -> None:
    """Each says what is new: the name once, arguments as they come, an empty piece nothing."""
    calls = ToolCalls()
    told = [
        [piece(0, "a", "f", "{"), piece(1, "b", "g")],
        [piece(1, arguments='{"b": 1}'), piece(0, arguments="}")],
        [piece(0, arguments=""), {"index": 1, "extra": 2}],
    ]

    assert [calls.feed(one) for one in told] == [
        [
            {
                "index": 0,
                "id": "a",
                "type": "function",
                "function": {"name": "f", "arguments": "{"},
            },
            {"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": ""}},
        ],
        [
            {"index": 1, "function": {"arguments": '{"b": 1}'}},
            {"index": 0, "function": {"arguments": "}"}},
        ],
        [{"index": 1, "extra": 2, "function": {}}],
    ]
    assert calls.finish() == []


def test_without_an_index_the_id_says_whose_arguments_they_are() -> None:
    opened = [piece(None, "a", "f"), piece(None, "b", "g")]
    more = [piece(None, "a", arguments='{"a":'), piece(None, "b", arguments='{"b":1}')]

    calls = added_up(*opened, *more, piece(None, "a", arguments="1}"))

    assert [call["arguments"] for call in calls] == ['{"a":1}', '{"b":1}']


def test_without_an_index_an_id_that_changes_with_the_same_name_is_no_other_call() -> None:
    [call] = added_up(piece(None, "a", "f", '{"x":'), piece(None, "b", "f", "1}"))

    assert call == {"id": "a", "name": "f", "arguments": '{"x":1}'}


def test_another_name_of_the_same_call_comes_too_late_once_its_arguments_began() -> None:
    [call] = added_up(piece(0, "a", "f", '{"x":'), piece(0, "a", "g", "1}"))

    assert call == {"id": "a", "name": "f", "arguments": '{"x":1}'}


def test_a_call_without_a_name_is_never_told() -> None:
    calls = ToolCalls()

    assert calls.feed([piece(0, "a", None, "{}")]) == []
    assert not calls.begun
    assert calls.finish() == []
    calls.feed([piece(1, "b", "g")])
    assert calls.begun
    assert calls.finish() == [{"index": 0, "function": {"arguments": "{}"}}]


@pytest.mark.parametrize(
    ("index", "is_same"), [(1.0, True), ("1", True), (1.5, False), ("one", False), (None, False)]
)
def test_a_number_says_whose_piece_it_is_however_it_is_written(index: Any, is_same: bool) -> None:
    """One that is none leaves it to the order: the last call goes on."""
    calls = ToolCalls()
    calls.feed([piece(1, "b", "g")])
    calls.feed([piece(0, "a", "f")])

    [more] = calls.feed([piece(index, arguments='{"x":')])

    assert more["index"] == (0 if is_same else 1)


def test_what_more_came_of_one_calls_arguments_is_taken_until_one_may_repeat_all() -> None:
    calls = ToolCalls()
    calls.feed([piece(0, "a", "f", "")])
    assert calls.more_arguments(["{"]) == 0  # after a name another call may begin
    calls.feed([piece(0, arguments='{"a"')])

    assert calls.more_arguments([": 1", ", "]) == 2
    assert calls.more_arguments(['"b"', '{"a": 1, "b"', ": 2"]) == 1
    assert calls.feed([piece(0, arguments='{"a": 1, "b"')]) == []
    calls.feed([piece(0, arguments=": 2"), piece(1, "b", "g")])
    assert calls.more_arguments(["}"]) == 0  # it was not the only call of the last pieces


@pytest.mark.parametrize(
    ("first", "second", "number"),
    [
        (("a", "f", '{"x":1}'), ("b", "f", ""), 2),
        (("a", "f", ""), ("b", "f", ""), 2),
        (("a", "f", '{"x":'), ("b", "f", "1}"), 1),  # its arguments go on
        ((None, "f", '{"x":1}'), (None, "f", ""), 2),
        ((None, "f", '{"x":'), (None, "f", "1}"), 1),
        (("a", "f", '{"x":1}'), ("a", "f", ""), 1),
        (("a", "f", '{"x":1}'), (None, "f", ""), 2),
        (("a", "f", "[" * 100_000), (None, "f", ""), 1),
    ],
)
def test_when_a_name_begins_another_call(first: Any, second: Any, number: int) -> None:
    calls = ToolCalls()
    told = calls.feed([piece(0, *first)]) + calls.feed([piece(0, *second)])

    assert len({one["index"] for one in told}) == number
