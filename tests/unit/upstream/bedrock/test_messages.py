"""Files on their way to Converse: its formats, its names, its limits."""

import base64
from typing import Any

import pytest

from losi.errors import InvalidRequestError
from losi.upstream.bedrock.messages import MAX_IMAGE_BYTES, convert_messages, tool_use_id
from tests.loose import Json

CLAUDE, NOVA = "anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon.nova-pro-v1:0"
OPEN_XML = "application/vnd.openxmlformats-officedocument"


def uri(media_type: str, data: bytes = b"hi") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def file(media_type: str, data: bytes = b"hi", **fields: Any) -> Json:
    return {"type": "file", "file": {"file_data": uri(media_type, data), **fields}}


def text(words: str = "Hi") -> Json:
    return {"type": "text", "text": words}


def converted(*messages: Json, model: str = CLAUDE) -> list[Json]:
    _, turns = convert_messages([*messages], model, thinking=False)
    return [{**turn} for turn in turns]


def content(*parts: Json, model: str = CLAUDE) -> list[Json]:
    """Of the only turn."""
    [turn] = converted({"role": "user", "content": [*parts]}, model=model)
    blocks: list[Json] = turn["content"]
    return blocks


@pytest.mark.parametrize(
    ("media_type", "filename", "form"),
    [
        ("application/pdf", "a.txt", "pdf"),
        ("text/csv", None, "csv"),
        ("application/msword", None, "doc"),
        (f"{OPEN_XML}.wordprocessingml.document", None, "docx"),
        ("application/vnd.ms-excel", None, "xls"),
        (f"{OPEN_XML}.spreadsheetml.sheet", None, "xlsx"),
        ("text/html", None, "html"),
        ("text/plain", None, "txt"),
        ("text/markdown", None, "md"),
        ("application/octet-stream", "Report.v2.PDF", "pdf"),
        ("application/octet-stream", "table.xlsx", "xlsx"),
        ("application/json", "a.json", "txt"),
        ("application/json", None, "txt"),
        ("text/x-log", "a.md", "md"),
    ],
)
def test_a_document_is_what_its_type_or_else_its_name_says(
    media_type: str, filename: str | None, form: str
) -> None:
    [_, block] = content(text(), file(media_type, filename=filename))
    assert (block["document"]["format"], block["document"]["source"]) == (form, {"bytes": b"hi"})


@pytest.mark.parametrize("filename", ["a.exe", "pdf.", "", None, 5])
def test_another_one_is_refused(filename: Any) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        content(text(), file("application/octet-stream", filename=filename))
    assert caught.value.param == "messages[0].content[1].file.file_data"
    assert "csv, doc, docx, html, md, pdf, txt, xls, xlsx" in caught.value.message


@pytest.mark.parametrize(
    ("filenames", "names"),
    [
        (["a.pdf", "a.pdf", "a.txt"], ["a", "a (2)", "a (3)"]),
        (["a (2).pdf", "a.pdf", "a.pdf"], ["a (2)", "a", "a (3)"]),
        (["größe_1.pdf"], ["gr e 1"]),
        (["x" * 200 + ".pdf"], ["x" * 180]),
        ([".pdf", None, "ü.pdf"], ["document", "document (2)", "document (3)"]),
    ],
)
def test_no_name_is_given_twice(filenames: list[Any], names: list[str]) -> None:
    blocks = content(text(), *(file("application/pdf", filename=name) for name in filenames))
    assert [block["document"]["name"] for block in blocks[1:]] == names


class TestPlaces:
    PDF = file("application/pdf", filename="a.pdf")

    def test_beside_a_document_stands_a_text(self) -> None:
        assert content(self.PDF)[-1] == {"text": "See the attached document."}
        assert content(text("Hm?"), self.PDF)[0] == {"text": "Hm?"}
        assert len(content(text("Hm?"), self.PDF)) == 2

    def test_five_are_documents_and_more_are_texts_from_the_first_on(self) -> None:
        notes = [file("text/plain", f"{i}".encode(), filename=f"{i}.txt") for i in range(7)]

        blocks = content(*notes)

        assert ["document" in block for block in blocks] == [False] * 2 + [True] * 5
        assert blocks[0] == {"text": '<file name="0">\n0\n</file>'}
        assert all("document" in block for block in content(*notes[:5])[:5])

    def test_what_is_no_text_cannot_become_one(self) -> None:
        assert len(content(*[self.PDF] * 5)) == 6
        with pytest.raises(InvalidRequestError, match="at most 5 files") as caught:
            content(*[self.PDF] * 6)
        assert (caught.value.param, caught.value.code) == ("messages", "invalid_value")
        # a text gives way to the sixth
        assert sum("document" in b for b in content(*[self.PDF] * 5, file("text/csv"))) == 5

    @pytest.mark.parametrize(("model", "within"), [(CLAUDE, True), (NOVA, False)])
    def test_claude_takes_them_within_a_result(self, model: str, within: bool) -> None:
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        history: list[Json] = [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "1"},
            {"role": "user", "content": [self.PDF]},
        ]

        blocks = converted(*history, model=model)[-1]["content"]

        result = blocks[0]["toolResult"]
        assert result["toolUseId"] == "c"
        assert [list(one) for one in result["content"]] == [["text"], *[["document"]] * within]
        outside = [list(one) for one in blocks[1:]]
        assert outside == ([] if within else [["document"], ["text"]])


def test_an_image_may_have_3_75_megabytes() -> None:
    png = b"\x89PNG" + bytes(MAX_IMAGE_BYTES - 4)
    image = {"type": "image_url", "image_url": {"url": uri("image/png", png)}}
    assert content(image)[0]["image"]["source"] == {"bytes": png}
    assert MAX_IMAGE_BYTES == 3.75 * 1024 * 1024


@pytest.mark.parametrize("url", ["https://example.com/a.png", "a.png"])
def test_an_image_by_address_is_told_what_to_send(url: str) -> None:
    with pytest.raises(InvalidRequestError, match="takes no image addresses") as caught:
        content({"type": "image_url", "image_url": {"url": url}})

    assert caught.value.param == "messages[0].content[0].image_url.url"


def test_an_id_of_a_call_has_64_characters_of_its_alphabet() -> None:
    assert tool_use_id("aZ_9.:-") == "aZ_9.:-"
    assert tool_use_id("x" * 64) == "x" * 64
    assert tool_use_id("x" * 65).startswith("call_")


@pytest.mark.parametrize(("model", "opened"), [(CLAUDE, False), (NOVA, True)])
def test_other_families_want_the_user_to_begin(model: str, opened: bool) -> None:
    greeting = {"role": "assistant", "content": "Welcome!"}
    turns = converted(greeting, {"role": "user", "content": "Hi"}, model=model)
    assert (turns[0]["content"] == [{"text": "(empty message)"}]) is opened


def test_a_refusal_sent_back_is_what_the_assistant_said() -> None:
    user = {"role": "user", "content": "Hi"}
    refusal = {"role": "assistant", "content": None, "refusal": "No."}
    blank = {"role": "assistant", "content": None, "refusal": " "}

    assert converted(user, refusal, user)[1] == {"role": "assistant", "content": [{"text": "No."}]}
    assert len(converted(user, blank, user)) == 1
