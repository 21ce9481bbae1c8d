"""Reads are consistent, are made again while the store fails, and end in a refusal."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from losi.errors import StoreUnavailableError
from losi.http1 import ConnectionLostError
from losi.observe.request import Event
from losi.store.client import primary_key
from losi.store.dynamodb import DynamoDBError
from losi.store.reads import Reads
from losi.store.signing import NoCredentialsError
from tests import virtual_time

T = TypeVar("T")
ONE, TWO = ({"pk": {"S": "ACCOUNT#a"}, "sk": {"S": name}} for name in ("ONE", "TWO"))
THROTTLED = DynamoDBError("ThrottlingException", 400, {})
FAILURES = [
    THROTTLED,
    DynamoDBError("InternalServerError", 500, {}),
    ConnectionLostError("the answer was lost"),
    NoCredentialsError(),
]


class Store:
    """DynamoDB, which answers with these in turn and keeps what it was asked and when."""

    def __init__(self, *answers: dict[str, Any] | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.times: list[float] = []

    async def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((operation, request))
        self.times.append(asyncio.get_running_loop().time())
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def found(*items: Any, left: Any = ()) -> dict[str, Any]:
    unprocessed = {"losi": {"Keys": list(left), "ConsistentRead": True}} if left else {}
    return {"Responses": {"losi": list(items)}, "UnprocessedKeys": unprocessed}


def asking_for(*keys: Any) -> tuple[str, dict[str, Any]]:
    return "BatchGetItem", {"RequestItems": {"losi": {"Keys": list(keys), "ConsistentRead": True}}}


def run(main: Coroutine[Any, Any, T]) -> T:
    """Pauses take no time."""
    return virtual_time.run(main)


@pytest.fixture(autouse=True)
def events(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    counted: list[Event] = []
    monkeypatch.setattr("losi.store.reads.count", counted.append)
    monkeypatch.setattr("losi.store.reads.random.uniform", lambda low, high: (low + high) / 2)
    return counted


class TestItems:
    def test_are_read_in_one_request(self, events: list[Event]) -> None:
        store = Store(found(TWO, ONE))

        got = run(Reads(store, "losi").get_all("a", ["ONE", "TWO", "THREE"]))

        assert got == {"ONE": ONE, "TWO": TWO}
        assert store.asked == [asking_for(*(primary_key("a", s) for s in ("ONE", "TWO", "THREE")))]
        assert events == []

    def test_none_of_them_may_exist(self) -> None:
        assert run(Reads(Store({"Responses": {}}), "losi").items([ONE])) == []

    def test_those_that_were_left_out_are_asked_for_again(self, events: list[Event]) -> None:
        store = Store(found(ONE, left=[TWO]), found(TWO))

        assert run(Reads(store, "losi").items([ONE, TWO])) == [ONE, TWO]

        assert store.asked == [asking_for(ONE, TWO), asking_for(TWO)]
        assert events == [Event.STORE_THROTTLED]

    def test_that_are_always_left_out_are_a_store_that_is_away(self) -> None:
        store = Store(*[found(left=[ONE])] * 4)

        with pytest.raises(StoreUnavailableError):
            run(Reads(store, "losi").items([ONE]))


class TestAPage:
    @pytest.mark.parametrize(("after", "from_"), [("", " "), ("account001", "account001")])
    def test_is_a_consistent_query_of_what_comes_after(self, after: str, from_: str) -> None:
        store = Store({"Items": [ONE, TWO]})

        assert run(Reads(store, "losi").page("OPENED#1", after, 7)) == [ONE, TWO]

        assert store.asked == [
            (
                "Query",
                {
                    "TableName": "losi",
                    "KeyConditionExpression": "pk = :pk AND sk > :after",
                    "ExpressionAttributeValues": {
                        ":pk": {"S": "OPENED#1"},
                        ":after": {"S": from_},
                    },
                    "ConsistentRead": True,
                    "Limit": 7,
                },
            )
        ]


class TestAStoreThatFails:
    @pytest.mark.parametrize("failure", FAILURES, ids=repr)
    def test_is_asked_again_after_growing_pauses(
        self, failure: Exception, events: list[Event], caplog: pytest.LogCaptureFixture
    ) -> None:
        items = Store(failure, failure, failure, found(ONE))
        page = Store(failure, failure, failure, {"Items": [ONE]})

        assert run(Reads(items, "losi").items([ONE])) == [ONE]
        assert run(Reads(page, "losi").page("p", "", 1)) == [ONE]

        assert items.times == page.times == pytest.approx([0, 0.05, 0.15, 0.35])
        assert events == [Event.STORE_THROTTLED] * 6 * (failure is THROTTLED)
        assert "the store did not answer a read" in caplog.text

    @pytest.mark.parametrize("attempts", [1, 4])
    def test_is_given_up(self, attempts: int) -> None:
        for ask in (Reads.items, Reads.page):
            store = Store(*[THROTTLED] * 9)
            given: Any = [[ONE]] if ask is Reads.items else ["p", "", 1]
            with pytest.raises(StoreUnavailableError):
                run(ask(Reads(store, "losi", attempts), *given))
            assert len(store.asked) == attempts

    def test_is_given_up_after_four_attempts_unless_told_otherwise(self) -> None:
        store = Store(*[THROTTLED] * 9)

        with pytest.raises(StoreUnavailableError):
            run(Reads(store, "losi").items([ONE]))
        assert len(store.asked) == 4

    def test_a_mistake_of_ours_is_no_failure_of_the_store(self) -> None:
        with pytest.raises(ZeroDivisionError):
            run(Reads(Store(ZeroDivisionError()), "losi").items([ONE]))
