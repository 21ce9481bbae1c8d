"""What OpenAI answers, as turns that Claude takes."""

import pytest

from losi.upstream.turns import CONTINUE, EMPTY, as_turns
from tests.loose import Json

USER: Json = {"role": "user", "content": "Hi"}


def system(content: str = "Be brief.", role: str = "system") -> Json:
    return {"role": role, "content": content}


def answer(content: str = "Hello.") -> Json:
    return {"role": "assistant", "content": content}


def calling(*ids: str) -> Json:
    calls = [{"id": one, "function": {"name": "f", "arguments": "{}"}} for one in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(call_id: str) -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": "x"}


def turns(*messages: Json, prefill: bool = False) -> list[tuple[str, str]]:
    """Roles and texts of the turns."""
    return [_seen(message) for _, message in as_turns(list(messages), prefill=prefill).turns]


def _seen(message: Json) -> tuple[str, str]:
    content = message.get("content")
    text = " ".join(part["text"] for part in content) if isinstance(content, list) else content
    return message["role"], text or ""


WRAPPED = ("user", "<system_message> Be brief. </system_message>")


class TestSystemMessages:
    def test_the_first_ones_stand_apart(self) -> None:
        made = as_turns([system("A"), system("B", "developer"), USER], prefill=False)
        assert [named for named, _ in made.system] == ["messages[0]", "messages[1]"]
        assert [named for named, _ in made.turns] == ["messages[2]"]

    @pytest.mark.parametrize("role", ["system", "developer"])
    def test_alone_the_last_one_is_what_is_asked(self, role: str) -> None:
        made = as_turns([system("A"), system("B", role)], prefill=False)
        assert [message["content"] for _, message in made.system] == ["A"]
        assert made.turns == [("messages[1]", {"role": "user", "content": "B"})]

    @pytest.mark.parametrize(
        ("messages", "expected"),
        [
            ([USER, answer(), system(), USER], [("user", "Hi"), ("assistant", "Hello."), WRAPPED]),
            ([USER, system()], [("user", "Hi"), WRAPPED]),
            ([USER, answer(), system()], [("user", "Hi"), ("assistant", "Hello."), WRAPPED]),
            ([USER, system(role="developer"), answer(), USER], [("user", "Hi"), WRAPPED]),
            ([system(), USER, system(), system(), USER], [("user", "Hi"), WRAPPED, WRAPPED]),
        ],
    )
    def test_later_ones_stay_where_they_are_in_the_users_turn(
        self, messages: list[Json], expected: list[tuple[str, str]]
    ) -> None:
        assert turns(*messages)[: len(expected)] == expected

    def test_between_calls_and_results_they_wait(self) -> None:
        made = turns(USER, calling("a", "b"), result("a"), system(), result("b"))
        assert [role for role, _ in made] == ["user", "assistant", "tool", "tool", "user"]
        assert made[-1] == WRAPPED


class TestBlankUserMessages:
    @pytest.mark.parametrize("blank", ["", " ", "\n\t", "\u00a0", "\u2003"])
    def test_beside_another_they_are_left_out(self, blank: str) -> None:
        empty = {"role": "user", "content": blank}
        assert turns(USER, empty) == turns(empty, USER) == turns(empty, USER, empty) == turns(USER)

    @pytest.mark.parametrize(
        "messages",
        [
            [{"role": "user", "content": ""}],
            [{"role": "user", "content": []}],
            [{"role": "user", "content": [{"type": "text", "text": " "}]}],
            [USER, answer(), {"role": "user", "content": ""}],
            [{"role": "user", "content": ""}, {"role": "user", "content": " "}],
        ],
    )
    def test_alone_in_their_turn_it_is_said_that_they_are_empty(self, messages: list[Json]) -> None:
        assert turns(*messages)[-1] == ("user", EMPTY)
        assert turns(*messages).count(("user", EMPTY)) == 1

    def test_behind_results_they_are_left_out(self) -> None:
        made = turns(USER, calling("a"), result("a"), {"role": "user", "content": ""})
        assert made[-1] == ("tool", "x")


class TestTheEnd:
    @pytest.mark.parametrize(
        "messages",
        [
            [USER, answer("So ")],
            [answer()],
            [USER, answer(), answer("")],
            [USER, {"role": "assistant", "content": None, "refusal": "No."}],
            [USER, {"role": "assistant", "content": [{"type": "text", "text": "So"}]}],
        ],
    )
    def test_an_answer_that_has_begun_is_to_be_continued(self, messages: list[Json]) -> None:
        assert turns(*messages)[-1] == ("user", CONTINUE)
        assert turns(*messages, prefill=True)[-1][0] == "assistant"

    def test_an_empty_answer_ends_nothing(self) -> None:
        assert turns(USER, answer(""))[-1] == ("assistant", "")


class TestIdsOfToolCalls:
    def test_used_again_they_are_made_new_in_calls_and_results(self) -> None:
        messages = [USER, calling("a"), result("a"), calling("a", "b"), result("b"), result("a")]
        made = [message for _, message in as_turns(messages, prefill=False).turns]
        assert [call["id"] for call in made[3]["tool_calls"] or ()] == ["a-2", "b"]
        assert [message["tool_call_id"] for message in made[4:]] == ["b", "a-2"]

    def test_once_used_they_stay(self) -> None:
        messages = [USER, calling("a"), result("a"), calling("b"), result("b")]
        assert [message for _, message in as_turns(messages, prefill=False).turns] == messages
