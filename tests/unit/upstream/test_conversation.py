"""What is checked and taken apart of a conversation: each rule, and the name it is refused by."""

import base64
import re
from collections.abc import Callable
from typing import Any

import pytest

from losi.errors import InvalidRequestError
from losi.upstream import conversation as typed
from tests.loose import Json, loose

#: Called with what no type allows, too.
conversation = loose(typed)
PNG = b"\x89PNG\r\n\x1a\n"


def refused(call: Callable[[], object]) -> str:
    """The parameter that is named, and the message."""
    with pytest.raises(InvalidRequestError) as caught:
        call()
    assert caught.value.code == "invalid_value"
    return f"{caught.value.param}: {caught.value.message}"


def uri(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def calling(*ids: str) -> Json:
    calls = [{"id": i, "type": "function", "function": {"name": "f"}} for i in ids]
    return {"role": "assistant", "tool_calls": calls}


def result(call_id: str) -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": "1"}


USER: Json = {"role": "user", "content": "Hi"}


class TestParts:
    @pytest.mark.parametrize("content", [None, "", " \n", [], [{"type": "text", "text": "\t"}]])
    def test_what_is_blank_is_no_part(self, content: Any) -> None:
        assert conversation.content_parts("m", {"content": content}) == []
        assert conversation.content_parts("m", {}) == []

    def test_a_text_is_one_part_and_each_part_keeps_its_place(self) -> None:
        a, b = {"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}
        blank = {"type": "text", "text": " "}

        assert conversation.content_parts("m", {"content": "a"}) == [("m.content", a)]
        named = conversation.content_parts("m", {"content": [blank, a, b]})
        assert named == [("m.content[1]", a), ("m.content[2]", b)]

    def test_words_are_texts_and_refusals_sent_back(self) -> None:
        image = {"type": "image_url"}

        assert conversation.spoken("p", {"type": "text", "text": "a"}, "system") == "a"
        assert conversation.spoken("p", {"type": "refusal", "refusal": "No."}, "assistant") == "No."
        assert refused(lambda: conversation.spoken("p", image, "system")).startswith("p.type: A me")
        silent = {"type": "refusal"}
        assert refused(lambda: conversation.spoken("p", silent, "assistant")).startswith("p: A con")

    @pytest.mark.parametrize(
        ("role", "is_system"),
        [("system", True), ("developer", True), ("user", False), ("tool", False)],
    )
    def test_developers_are_the_system(self, role: str, is_system: bool) -> None:
        assert conversation.is_system({"role": role}) is is_system


class TestToolCalls:
    @pytest.mark.parametrize(
        "messages",
        [
            [USER],
            [calling("a"), result("a"), USER],
            [calling("a", "b"), result("b"), result("a")],
            [calling("a"), result("a"), calling("a"), result("a")],
        ],
    )
    def test_calls_with_their_results(self, messages: list[Json]) -> None:
        conversation.check_tool_calls([(f"m[{i}]", one) for i, one in enumerate(messages)])

    @pytest.mark.parametrize(
        ("messages", "words"),
        [
            ([USER, calling("a")], r"m\[1\]\.tool_calls: .* Missing: a\."),
            ([calling("b", "a"), USER], r"m\[0\]\.tool_calls: .* Missing: a, b\."),
            ([calling("a", "a")], r"m\[0\]\.tool_calls\[1\]\.id: .*'a' is used twice"),
            ([USER, result("a")], r"m\[1\]\.tool_call_id: .*'a' is not among"),
            ([calling("a"), result("a"), result("a")], r"m\[2\]\.tool_call_id: .*has its result"),
        ],
    )
    def test_calls_without_and_results_of_none(self, messages: list[Json], words: str) -> None:
        named = [(f"m[{i}]", one) for i, one in enumerate(messages)]
        assert re.match(words, refused(lambda: conversation.check_tool_calls(named)))

    @pytest.mark.parametrize(("text", "value"), [("", {}), ("{}", {}), ('{"a": 1}', {"a": 1})])
    def test_arguments_are_an_object(self, text: str, value: Json) -> None:
        call = {"function": {"name": "f", "arguments": text}}
        assert conversation.tool_arguments("c", call) == ("f", value)
        assert conversation.tool_arguments("c", {**call, "type": "function"}) == ("f", value)

    @pytest.mark.parametrize("text", ["[1]", "5", "{", '{"a": NaN}', "[" * 100_000])
    def test_anything_else_is_named(self, text: str) -> None:
        call = {"type": "function", "function": {"name": "f", "arguments": text}}
        words = refused(lambda: conversation.tool_arguments("c", call))
        assert words.startswith("c.function.arguments: ")

    @pytest.mark.parametrize("call", [{"type": "custom", "custom": {}}, {"type": "function"}])
    def test_so_is_a_call_of_another_kind(self, call: Json) -> None:
        assert refused(lambda: conversation.tool_arguments("c", call)).startswith("c.type: ")


class TestAllowedTools:
    @staticmethod
    def allowed(**choice: Any) -> tuple[list[Json], str]:
        found: tuple[list[Json], str] = conversation.allowed_tools(
            {"allowed_tools": choice}, [{"name": "f"}, {"name": "g"}]
        )
        return found

    @pytest.mark.parametrize("mode", ["auto", "required"])
    def test_some_of_the_tools(self, mode: str) -> None:
        tools = [{"type": "function", "function": {"name": "f"}}]
        assert self.allowed(mode=mode, tools=tools) == ([{"name": "f"}], mode)

    @pytest.mark.parametrize(
        ("choice", "param"),
        [
            ({"mode": "auto"}, "tool_choice.allowed_tools: "),
            ({"mode": "none", "tools": [{"function": {"name": "f"}}]}, "tool_choice.allowed_to"),
            ({"mode": "auto", "tools": []}, "tool_choice.allowed_tools.tools: "),
            ({"mode": "auto", "tools": ["f"]}, "tool_choice.allowed_tools.tools: "),
            ({"mode": "auto", "tools": [{"function": "f"}]}, "tool_choice.allowed_tools.tools: "),
            (
                {"mode": "auto", "tools": [{"function": {"name": n}} for n in "fx"]},
                "tool_choice.allowed_tools.tools: ",
            ),
        ],
    )
    def test_what_names_none_of_them(self, choice: Json, param: str) -> None:
        assert refused(lambda: self.allowed(**choice)).startswith(param)
        assert refused(lambda: conversation.allowed_tools({"allowed_tools": 5}, [{"name": "f"}]))


class TestNames:
    def test_an_id_that_fits_stays_and_others_get_one_that_is_always_the_same(self) -> None:
        taken, short = re.compile(r"[a-z_0-9]{1,40}"), re.compile(r"[a-zA-Z0-9]{9}")

        assert conversation.fitting_id("abc", taken) == "abc"
        one = conversation.fitting_id("a:b", taken)
        assert one == conversation.fitting_id("a:b", taken) != conversation.fitting_id("a:c", taken)
        assert re.fullmatch(r"call_[0-9a-f]{32}", one)
        assert re.fullmatch(r"[0-9a-f]{9}", conversation.fitting_id("a:b", short))
        assert conversation.fitting_id("\ud83d", taken)

    @pytest.mark.parametrize("name", ["f", "a-b_1", "x" * 64])
    def test_a_name_that_fits_stays(self, name: str) -> None:
        assert conversation.fitting_name(name) == name

    def test_others_are_kept_apart(self) -> None:
        dotted, spaced = conversation.fitting_name("a.b"), conversation.fitting_name("a b")

        assert re.fullmatch(r"a_b_[0-9a-f]{8}", dotted) and dotted != spaced
        assert re.fullmatch(r"x{50}_[0-9a-f]{8}", conversation.fitting_name("x" * 65))

    def test_parameters_that_are_not_understood_fit_in_a_header(self) -> None:
        body = {"a" * 64: 1, "b" * 65: 1, "n": None, "known": 1, "x y": 1, "größe": 1}
        many = {f"p{i:02}": 1 for i in range(40)}

        assert conversation.not_understood(body, frozenset({"known"})) == {"a" * 64}
        assert conversation.not_understood(many, frozenset()) == {f"p{i:02}" for i in range(32)}


class TestInstructions:
    def test_they_stand_in_the_last_turn_of_the_user(self) -> None:
        part = {"type": "text", "text": "JSON!"}
        own = {"type": "text", "text": "Hi"}
        answer = {"role": "assistant", "content": "a"}

        assert conversation.with_instruction([answer, USER], "JSON!") == [
            answer,
            {"role": "user", "content": [own, part]},
        ]
        assert conversation.with_instruction([USER, answer], "JSON!") == [
            USER,
            answer,
            {"role": "user", "content": [part]},
        ]


class TestFiles:
    @pytest.mark.parametrize(
        ("text", "media_type"),
        [
            ("data:image/png;base64,", "image/png"),
            ("DATA:Image/PNG;base64,", "image/png"),
            ("data:text/plain;charset=utf-8;base64,", "text/plain"),
            ("data:;base64,", "text/plain"),
        ],
    )
    def test_a_data_uri(self, text: str, media_type: str) -> None:
        assert conversation.is_data_uri(text)
        found = conversation.parse_data_uri("f", f"{text}aGk=")
        assert (found.media_type, found.base64, found.data) == (media_type, "aGk=", b"hi")

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("https://x/y.png", "must have the form"),
            ("data:image/png,hi", "must have the form"),
            ("data:image/png;base64,a", "not valid base64"),
            ("data:image/png;base64,a*==", "not valid base64"),
            ("data:image/png;base64,ä", "not valid base64"),
            ("data:image/png;base64,", "holds no data"),
        ],
    )
    def test_what_is_none(self, text: str, words: str) -> None:
        said = refused(lambda: conversation.parse_data_uri("f", text))
        assert said.startswith("f: ") and words in said

    @pytest.mark.parametrize(
        ("data", "form"),
        [(b"\xff\xd8\xff\xe0", "jpeg"), (PNG, "png"), (b"GIF89a", "gif"), (b"RIFF0000", "webp")],
    )
    def test_an_image_is_what_its_bytes_say(self, data: bytes, form: str) -> None:
        assert conversation.parse_image("i", uri(data, "image/bmp"))[0] == form

    @pytest.mark.parametrize(
        ("kind", "form"),
        [("jpeg", "jpeg"), ("jpg", "jpeg"), ("png", "png"), ("gif", "gif"), ("webp", "webp")],
    )
    def test_else_what_its_label_says(self, kind: str, form: str) -> None:
        assert conversation.parse_image("i", uri(b"?", f"image/{kind}"))[0] == form
        assert refused(lambda: conversation.parse_image("i", uri(b"?", "image/bmp"))) == (
            "i: This model takes no images of type 'image/bmp'. Send JPEG, PNG, GIF or WebP."
        )

    @pytest.mark.parametrize(
        ("file", "is_text"),
        [
            ({"file_data": uri(b"a,b", "text/csv")}, True),
            ({"file_data": uri(b"{}", "application/ld+json")}, True),
            ({"file_data": "data:;base64,aGk="}, True),
            ({"file_data": uri(b"%PDF", "application/pdf")}, False),
            ({"file_data": 5}, False),
            ({"file_id": "f"}, False),
            (None, False),
        ],
    )
    def test_files_of_text_are_known(self, file: Any, is_text: bool) -> None:
        assert conversation.is_text_file({"type": "file", "file": file}) is is_text
        assert not conversation.is_text_file({"type": "text", "file": file})

    def test_and_read(self) -> None:
        file = {"filename": "ä.txt", "file_data": uri("größe".encode(), "text/plain")}
        assert conversation.file_as_text("p", {"file": file}) == {
            "type": "text",
            "text": '<file name="ä.txt">\ngröße\n</file>',
        }
        assert conversation.named_text(None, "a") == '<file name="file">\na\n</file>'
        latin = {"file_data": uri(b"\xe4", "text/plain")}
        assert refused(lambda: conversation.file_as_text("p", {"file": latin})) == (
            "p: The file's text is not encoded as UTF-8."
        )
