"""What Anthropic takes and refuses in a conversation."""

import base64
from typing import Any

import pytest

from losi.errors import InvalidRequestError
from losi.upstream.anthropic.messages import Conversation
from tests.loose import Json

PDF = "data:application/pdf;base64,JVBERi0xLjQ="


def user(content: object) -> Json:
    return {"role": "user", "content": content}


def calling(*ids: str) -> Json:
    calls = [
        {"id": i, "type": "function", "function": {"name": "f", "arguments": "{}"}} for i in ids
    ]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(call_id: str, content: object = "ok") -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def converted(messages: list[Json]) -> Any:
    """Anthropic's `messages`, to be looked into."""
    return [turn.message() for turn in Conversation(messages).turns]


def refusal_of(*messages: Json) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        Conversation(list(messages))
    return caught.value


class TestTurns:
    def test_every_system_and_developer_message_counts(self) -> None:
        told = Conversation(
            [
                {"role": "system", "content": "One."},
                {"role": "developer", "content": [{"type": "text", "text": "Two."}]},
                user("Hi"),
            ]
        )
        assert [block["text"] for block in told.system] == ["One.", "Two."]

    def test_results_of_parallel_calls_are_one_turn(self) -> None:
        told = converted([user("Hi"), calling("a", "b"), result("b"), result("a"), user("So?")])

        assert [turn["role"] for turn in told] == ["user", "assistant", "user"]
        kinds = [(b["type"], b.get("tool_use_id")) for b in told[2]["content"]]
        assert kinds == [("tool_result", "b"), ("tool_result", "a"), ("text", None)]

    def test_text_stays_before_the_calls_it_came_with(self) -> None:
        message = {**calling("a"), "content": "Let me look."}

        told = converted([user("Hi"), message, result("a")])

        assert [block["type"] for block in told[1]["content"]] == ["text", "tool_use"]

    def test_empty_texts_are_left_out(self) -> None:
        """Anthropic refuses them; an assistant's empty answer says nothing."""
        parts = [{"type": "text", "text": " \n"}, {"type": "text", "text": "Hi"}]

        told = converted([user(parts), {"role": "assistant", "content": ""}, user("Well?")])

        assert [block["text"] for block in told[0]["content"]] == ["Hi", "Well?"]

    def test_a_refusal_sent_back_is_what_the_assistant_said(self) -> None:
        refused = {"role": "assistant", "content": None, "refusal": "No."}

        told = converted([user("Hi"), refused, user("Why?")])

        assert told[1]["content"] == [{"type": "text", "text": "No."}]

    def test_a_refusal_without_words_is_refused(self) -> None:
        refused = {"role": "assistant", "content": [{"type": "refusal"}]}

        assert refusal_of(user("Hi"), refused, user("Why?")).param == "messages[1].content[0]"

    def test_a_prefill_stays_last(self) -> None:
        told = converted([user("A colour?"), {"role": "assistant", "content": "Gr"}])
        assert told[-1] == {
            "role": "assistant",
            "content": [{"type": "text", "text": "Gr"}],
        }

    def test_a_tool_without_output_has_a_result_without_content(self) -> None:
        told = converted([user("Hi"), calling("a"), result("a", "")])
        assert told[2]["content"] == [{"type": "tool_result", "tool_use_id": "a"}]

    def test_calls_and_results_have_ids_and_names_that_anthropic_takes(self) -> None:
        call = {"id": "a.b", "type": "function", "function": {"name": "get.it", "arguments": ""}}
        good = {"id": "a-b", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        assistant = {"role": "assistant", "content": None, "tool_calls": [call, good]}
        messages = [user("Hi"), assistant, result("a.b"), result("a-b", [])]

        [odd, fitting], [first, second] = [turn["content"] for turn in converted(messages)[1:]]

        assert odd["id"] == first["tool_use_id"] != "a.b" and "." not in odd["id"] + odd["name"]
        assert odd == {"type": "tool_use", "id": odd["id"], "name": odd["name"], "input": {}}
        assert fitting == {"type": "tool_use", "id": "a-b", "name": "f", "input": {}}
        assert first["content"] == [{"type": "text", "text": "ok"}]
        assert second == {"type": "tool_result", "tool_use_id": "a-b"}
        assert Conversation(messages).tool_names == [odd["name"], "f"]

    def test_each_tool_that_was_called_is_named_once(self) -> None:
        messages = [user("Hi"), calling("a", "b"), result("a"), result("b")]

        assert Conversation(messages).tool_names == ["f"]

    def test_what_was_thought_is_sent_back_as_it_was_signed_and_is_no_turn_alone(self) -> None:
        thought = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
        redacted = {"type": "redacted_thinking", "data": "x"}
        blocks = [{**thought, "other": 1}, {**redacted, "other": 1}]
        assistant = {"role": "assistant", "content": "Yes.", "thinking_blocks": blocks}
        alone = {**assistant, "content": ""}

        told = converted([user("Hi"), assistant, user("So?"), alone, user("Well?")])

        assert [len(turn["content"]) for turn in told] == [1, 3, 2]
        assert told[1]["content"] == [thought, redacted, {"type": "text", "text": "Yes."}]

    def test_each_block_knows_the_parameter_it_was_made_from(self) -> None:
        image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
        file = {"type": "file", "file": {"file_data": PDF}}
        thought = {"type": "redacted_thinking", "data": "x"}
        spoken: Json = {"content": "Yes.", "refusal": "No.", "thinking_blocks": [thought]}
        assistant: Json = {**calling("a"), **spoken}

        turns = Conversation([user([image, file]), assistant, result("a"), user("So?")]).turns

        assert [turn.origins for turn in turns] == [
            ["messages[0].content[0].image_url", "messages[0].content[1].file"],
            [
                "messages[1].thinking_blocks[0]",
                "messages[1].content",
                "messages[1].refusal",
                "messages[1].tool_calls[0]",
            ],
            ["messages[2].content", "messages[3].content"],
        ]

    @pytest.mark.parametrize("refusal", [None, "", "  ", 5])
    def test_a_refusal_that_says_nothing_is_left_out(self, refusal: object) -> None:
        told = converted([user("Hi"), {"role": "assistant", "content": "Yes.", "refusal": refusal}])

        assert told[1]["content"] == [{"type": "text", "text": "Yes."}]

    def test_cache_marks_stay_where_they_were_put(self) -> None:
        marked = {"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}}

        messages = [{"role": "system", "content": [marked]}, user([marked])]

        assert Conversation(messages).system == [marked]
        assert converted(messages)[0]["content"] == [marked]


class TestMedia:
    @pytest.mark.parametrize(
        ("given", "sent"),
        [
            ("image/png", "image/png"),
            ("image/jpg", "image/jpeg"),
            ("image/gif", "image/gif"),
            ("image/webp", "image/webp"),
        ],
    )
    def test_inline_images(self, given: str, sent: str) -> None:
        part = {"type": "image_url", "image_url": {"url": f"data:{given};base64,AAAA"}}

        told = converted([user([part])])

        source = told[0]["content"][0]["source"]
        assert source == {"type": "base64", "media_type": sent, "data": "AAAA"}

    @pytest.mark.parametrize("url", ["https://example.com/a.png", "http://example.com/a.png"])
    def test_images_by_address_are_left_to_anthropic_to_fetch(self, url: str) -> None:
        told = converted([user([{"type": "image_url", "image_url": {"url": url}}])])

        assert told[0]["content"] == [{"type": "image", "source": {"type": "url", "url": url}}]

    @pytest.mark.parametrize("url", ["file:///etc/passwd", "example.com/a.png", ""])
    def test_an_image_without_an_address_is_told_what_to_send(self, url: str) -> None:
        error = refusal_of(user([{"type": "image_url", "image_url": {"url": url}}]))

        assert "https address" in error.message

    @pytest.mark.parametrize("name", [{}, {"filename": ""}, {"filename": 5}])
    def test_a_document_without_a_name_has_no_title(self, name: Json) -> None:
        told = converted([user([{"type": "file", "file": {"file_data": PDF, **name}}])])

        source = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ="}
        assert told[0]["content"] == [{"type": "document", "source": source}]

    def test_images_in_tool_results(self) -> None:
        part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}

        told = converted([user("Hi"), calling("a"), result("a", [part])])

        assert told[2]["content"][0]["content"][0]["type"] == "image"

    def test_pdf_and_text_files_are_documents(self) -> None:
        text = "data:text/plain;base64," + base64.b64encode("Grüße".encode()).decode()
        files = [{"filename": "a.pdf", "file_data": PDF}, {"file_data": text}]

        told = converted([user([{"type": "file", "file": file} for file in files])])

        pdf, plain = told[0]["content"]
        assert pdf["title"] == "a.pdf"
        assert pdf["source"]["media_type"] == "application/pdf"
        assert plain["source"] == {"type": "text", "media_type": "text/plain", "data": "Grüße"}

    @pytest.mark.parametrize(
        ("part", "param"),
        [
            ({"image_url": {"url": "data:image/bmp;base64,AAAA"}}, "image_url"),
            ({"image_url": {"url": "data:image/png;base64,not base64"}}, "image_url"),
            ({"image_url": {"url": "file:///etc/passwd"}}, "image_url"),
            ({"file": {"file_id": "file-1"}}, "file"),
            ({"file": None}, "file"),
            ({"file": {"file_data": "data:application/zip;base64,AAAA"}}, "file.file_data"),
            ({"input_audio": {"data": "AAAA", "format": "wav"}}, "type"),
        ],
    )
    def test_what_anthropic_cannot_see_is_named(self, part: Json, param: str) -> None:
        part = {"type": next(iter(part)), **part}

        error = refusal_of(user("Hi"), user([{"type": "text", "text": "This:"}, part]))

        assert error.param == f"messages[1].content[1].{param}"


class TestRefusals:
    def test_a_result_without_a_call(self) -> None:
        error = refusal_of(user("Hi"), result("a"))
        assert error.param == "messages[1].tool_call_id"

    def test_a_result_sent_twice(self) -> None:
        error = refusal_of(user("Hi"), calling("a"), result("a"), result("a"))
        assert error.param == "messages[3].tool_call_id"

    def test_a_call_without_a_result(self) -> None:
        error = refusal_of(user("Hi"), calling("a", "b"), result("a"), user("So?"))
        assert error.param == "messages[1].tool_calls"

    def test_no_message_to_answer(self) -> None:
        assert refusal_of({"role": "assistant", "content": ""}).param == "messages"

    @pytest.mark.parametrize("role", ["system", "assistant"])
    def test_images_where_anthropic_takes_text_only(self, role: str) -> None:
        part = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
        error = refusal_of({"role": role, "content": [part]}, user("So?"))
        assert error.param == "messages[0].content[0].type"

    def test_a_text_file_that_is_no_text(self) -> None:
        part = {"type": "file", "file": {"file_data": "data:text/plain;base64,/w=="}}
        assert refusal_of(user([part])).param == "messages[0].content[0].file.file_data"

    @pytest.mark.parametrize("arguments", ["{", "[]", "NaN", '"a"'])
    def test_arguments_that_are_no_object(self, arguments: str) -> None:
        call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": arguments}}
        error = refusal_of(user("Hi"), {"role": "assistant", "tool_calls": [call]}, result("a"))
        assert error.param == "messages[1].tool_calls[0].function.arguments"

    @pytest.mark.parametrize("block", ["x", {}, {"type": "thinking", "thinking": "unsigned"}])
    def test_thinking_that_is_not_as_it_was_signed(self, block: object) -> None:
        message = {"role": "assistant", "content": "Hm.", "thinking_blocks": [block]}
        error = refusal_of(user("Hi"), message, user("So?"))
        assert error.param == "messages[1].thinking_blocks[0]"
