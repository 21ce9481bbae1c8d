"""The requests behind each operation of the table, as botocore's own model checks them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from losi.errors import StoreUnavailableError
from losi.store.table import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ONE, TWO = ({"pk": {"S": "ACCOUNT#a"}, "sk": {"S": name}} for name in ("ONE", "TWO"))
#: Failures that pass by themselves, and that botocore does not retry.
PASSING = [
    ("TransactionConflictException", []),
    ("ThrottlingError", []),
    ("ProvisionedThroughputExceeded", []),
    ("TransactionCanceledException", ["None", "TransactionConflict"]),
    ("TransactionCanceledException", ["ThrottlingError", "None"]),
    ("TransactionCanceledException", ["ProvisionedThroughputExceeded"]),
]
FAILED_CONDITIONS = [
    ("ConditionalCheckFailedException", []),
    ("TransactionCanceledException", ["None", "ConditionalCheckFailed"]),
    ("TransactionCanceledException", ["ConditionalCheckFailed", "TransactionConflict"]),
]


@pytest.fixture(scope="module")
def dynamodb() -> DynamoDBClient:
    return boto3.client(
        "dynamodb", "eu-central-1", aws_access_key_id="x", aws_secret_access_key="x"
    )


@pytest.fixture
def stub(dynamodb: DynamoDBClient) -> Iterator[Stubber]:
    """Answers as it is told, in order, to exactly the requests that are expected."""
    with Stubber(dynamodb) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def table(dynamodb: DynamoDBClient, stub: Stubber) -> Table:
    return Table(dynamodb, "losi")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Those that were made: none takes time here, and each is as long as it may be."""
    made: list[float] = []
    monkeypatch.setattr("losi.store.table.time.sleep", made.append)
    monkeypatch.setattr("losi.store.table.random.uniform", lambda low, high: low + high)
    return made


def key(sort: str = "ONE") -> dict[str, Any]:
    return {"pk": {"S": "ACCOUNT#a"}, "sk": {"S": sort}}


class TestReadsOfItems:
    @pytest.mark.parametrize("item", [{"Item": ONE}, {}])
    def test_one_is_read_consistently(
        self, table: Table, stub: Stubber, item: dict[str, Any]
    ) -> None:
        request = {"TableName": "losi", "Key": key(), "ConsistentRead": True}
        for _ in range(2):
            stub.add_response("get_item", item, request)

        assert table.get("a", "ONE") == table.item("ACCOUNT#a", "ONE") == item.get("Item")

    def batch(self, *keys: Any) -> dict[str, Any]:
        return {"RequestItems": {"losi": {"Keys": list(keys), "ConsistentRead": True}}}

    def test_several_of_an_account_take_one_round_trip(self, table: Table, stub: Stubber) -> None:
        answer = {"Responses": {"losi": [TWO]}, "UnprocessedKeys": {}}
        stub.add_response("batch_get_item", answer, self.batch(key("ONE"), key("TWO")))

        assert table.get_all("a", ["ONE", "TWO"]) == {"TWO": TWO}

    def test_any_number_are_read_a_hundred_at_a_time(self, table: Table, stub: Stubber) -> None:
        keys = [key(str(n)) for n in range(201)]
        for start in (0, 100, 200):
            some = keys[start : start + 100]
            stub.add_response("batch_get_item", {"Responses": {"losi": some}}, self.batch(*some))

        assert list(table.items(keys)) == keys

    def test_what_was_left_out_is_asked_for_again(
        self, table: Table, stub: Stubber, pauses: list[float]
    ) -> None:
        first = {"Responses": {"losi": [ONE]}, "UnprocessedKeys": {"losi": {"Keys": [key("TWO")]}}}
        stub.add_response("batch_get_item", first, self.batch(key("ONE"), key("TWO")))
        stub.add_response("batch_get_item", {"Responses": {}}, self.batch(key("TWO")))

        assert list(table.items([key("ONE"), key("TWO")])) == [ONE]
        assert pauses == [0.04]

    def test_a_store_that_leaves_all_out_is_away(
        self, table: Table, stub: Stubber, pauses: list[float]
    ) -> None:
        for _ in range(20):
            left: Any = {"losi": {"Keys": [key()]}}
            stub.add_response("batch_get_item", {"Responses": {}, "UnprocessedKeys": left})

        with pytest.raises(StoreUnavailableError):
            list(table.items([key()]))
        assert pauses == [0.04, 0.08, 0.16, 0.32, 0.64, *[1.0] * 14]


class TestQueries:
    def test_of_a_partition_go_on_to_its_last_page(self, table: Table, stub: Stubber) -> None:
        request = {
            "TableName": "losi",
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": "AUDIT#a"}},
            "ConsistentRead": True,
        }
        stub.add_response("query", {"Items": [ONE], "LastEvaluatedKey": key()}, request)
        stub.add_response("query", {"Items": [TWO]}, {**request, "ExclusiveStartKey": key()})

        assert list(table.partition("AUDIT#a")) == [ONE, TWO]

    @pytest.mark.parametrize(
        ("prefix", "condition", "values"),
        [
            ("", "pk = :pk", {}),
            ("KEY#", "pk = :pk AND begins_with(sk, :sk)", {":sk": {"S": "KEY#"}}),
        ],
    )
    def test_of_an_account_by_prefix(
        self, table: Table, stub: Stubber, prefix: str, condition: str, values: dict[str, Any]
    ) -> None:
        request = {
            "TableName": "losi",
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": {":pk": {"S": "ACCOUNT#a"}, **values},
            "ConsistentRead": True,
        }
        stub.add_response("query", {"Items": [ONE]}, request)

        assert list(table.query("a", prefix)) == [ONE]

    @pytest.mark.parametrize(
        ("before", "condition", "values"),
        [
            (None, "pk = :pk", {}),
            ("9", "pk = :pk AND sk < :before", {":before": {"S": "9"}}),
        ],
    )
    def test_of_the_newest_pass_over_what_has_expired(
        self, table: Table, stub: Stubber, before: str, condition: str, values: dict[str, Any]
    ) -> None:
        request = {
            "TableName": "losi",
            "KeyConditionExpression": condition,
            "FilterExpression": "#ttl > :now",
            "ExpressionAttributeNames": {"#ttl": "ttl"},
            "ExpressionAttributeValues": {
                ":pk": {"S": "AUDIT#a"},
                ":now": {"N": "1000"},
                **values,
            },
            "ConsistentRead": True,
            "ScanIndexForward": False,
            "Limit": 2,
        }
        stub.add_response("query", {"Items": [ONE, TWO, ONE]}, request)

        assert table.newest("AUDIT#a", 2, before, 1000.9) == [ONE, TWO]


class TestScans:
    @pytest.mark.parametrize(
        ("scan", "request_"),
        [
            (
                lambda table: table.scan("PROFILE"),
                {
                    "FilterExpression": "sk = :sk",
                    "ExpressionAttributeValues": {":sk": {"S": "PROFILE"}},
                },
            ),
            (
                lambda table: table.scan_between([("a", "b"), ("c", "d")]),
                {
                    "FilterExpression": (
                        "sk BETWEEN :first0 AND :last0 OR sk BETWEEN :first1 AND :last1"
                    ),
                    "ExpressionAttributeValues": {
                        ":first0": {"S": "a"},
                        ":last0": {"S": "b"},
                        ":first1": {"S": "c"},
                        ":last1": {"S": "d"},
                    },
                },
            ),
            (lambda table: table.everything(), {"ConsistentRead": True}),
        ],
    )
    def test_read_every_page(
        self,
        table: Table,
        stub: Stubber,
        scan: Callable[[Table], Iterator[Any]],
        request_: dict[str, Any],
    ) -> None:
        request = {"TableName": "losi", **request_}
        stub.add_response("scan", {"Items": [ONE], "LastEvaluatedKey": key()}, request)
        stub.add_response("scan", {"Items": [TWO]}, {**request, "ExclusiveStartKey": key()})

        assert list(scan(table)) == [ONE, TWO]


def put(table: Table) -> bool:
    return table.put(ONE)


def update(table: Table) -> bool:
    return table.update("a", "ONE", {"b": {"N": "1"}})


def change(table: Table) -> bool:
    return table.change({"Key": key(), "UpdateExpression": "REMOVE b"})


def transact(table: Table) -> bool:
    delete = {"Key": key("TWO")}
    return table.transact(("Put", {"Item": ONE}), ("Delete", delete))


WRITES: list[tuple[Callable[[Table], bool], str, dict[str, Any]]] = [
    (
        put,
        "put_item",
        {"TableName": "losi", "Item": ONE, "ConditionExpression": "attribute_not_exists(pk)"},
    ),
    (
        update,
        "update_item",
        {
            "TableName": "losi",
            "Key": key(),
            "UpdateExpression": "SET #b = :b",
            "ConditionExpression": "attribute_exists(pk)",
            "ExpressionAttributeNames": {"#b": "b"},
            "ExpressionAttributeValues": {":b": {"N": "1"}},
        },
    ),
    (
        change,
        "update_item",
        {"TableName": "losi", "Key": key(), "UpdateExpression": "REMOVE b"},
    ),
    (
        transact,
        "transact_write_items",
        {
            "TransactItems": [
                {"Put": {"TableName": "losi", "Item": ONE}},
                {"Delete": {"TableName": "losi", "Key": key("TWO")}},
            ]
        },
    ),
]
EACH_WRITE = pytest.mark.parametrize(
    ("write", "operation", "request_"), WRITES, ids=lambda each: getattr(each, "__name__", "")
)


def fails(stub: Stubber, operation: str, code: str, reasons: list[str]) -> None:
    cancelled = [{"Code": reason} for reason in reasons]
    stub.add_client_error(
        operation, code, modeled_fields={"CancellationReasons": cancelled} if cancelled else None
    )


class TestConditionalWrites:
    @EACH_WRITE
    def test_are_one_request(
        self,
        table: Table,
        stub: Stubber,
        write: Callable[[Table], bool],
        operation: str,
        request_: dict[str, Any],
    ) -> None:
        stub.add_response(operation, {}, request_)

        assert write(table) is True

    def test_an_update_may_remove_and_have_a_condition_of_its_own(
        self, table: Table, stub: Stubber
    ) -> None:
        request = {
            "TableName": "losi",
            "Key": key(),
            "UpdateExpression": "SET #b = :b REMOVE #c, #d",
            "ConditionExpression": "#b = :before",
            "ExpressionAttributeNames": {"#b": "b", "#c": "c", "#d": "d"},
            "ExpressionAttributeValues": {":b": {"N": "1"}, ":before": {"N": "0"}},
        }
        stub.add_response("update_item", {}, request)

        assert table.update(
            "a",
            "ONE",
            {"b": {"N": "1"}},
            remove=iter(["c", "d"]),
            condition="#b = :before",
            values={":before": {"N": "0"}},
        )

    @pytest.mark.parametrize(("code", "reasons"), FAILED_CONDITIONS)
    def test_that_meet_no_item_as_expected_are_false(
        self, table: Table, stub: Stubber, code: str, reasons: list[str]
    ) -> None:
        fails(stub, "transact_write_items", code, reasons)

        assert transact(table) is False

    @pytest.mark.parametrize(("code", "reasons"), PASSING)
    def test_that_meet_another_write_are_made_again(
        self, table: Table, stub: Stubber, pauses: list[float], code: str, reasons: list[str]
    ) -> None:
        for _ in range(2):
            fails(stub, "transact_write_items", code, reasons)
        stub.add_response("transact_write_items", {})

        assert transact(table) is True
        assert pauses == [0.04, 0.08]

    def test_that_meet_another_write_every_time_are_a_store_that_is_away(
        self, table: Table, stub: Stubber
    ) -> None:
        for _ in range(20):
            fails(stub, "put_item", "TransactionConflictException", [])

        with pytest.raises(StoreUnavailableError):
            put(table)

    def test_that_the_store_refuses_otherwise_are_not_made_again(
        self, table: Table, stub: Stubber
    ) -> None:
        fails(stub, "put_item", "ResourceNotFoundException", [])
        with pytest.raises(StoreUnavailableError):
            put(table)

        fails(stub, "transact_write_items", "TransactionCanceledException", ["ValidationError"])
        with pytest.raises(ClientError):
            transact(table)


class TestWritesOfMany:
    def test_are_made_in_their_order_twenty_five_at_a_time(
        self, table: Table, stub: Stubber, pauses: list[float]
    ) -> None:
        requests: list[Any] = [{"DeleteRequest": {"Key": key(str(n))}} for n in range(51)]
        for start in (0, 25, 50):
            some = {"RequestItems": {"losi": requests[start : start + 25]}}
            stub.add_response("batch_write_item", {"UnprocessedItems": {}}, some)

        table.write_all(requests)
        table.write_all([])

        assert pauses == []

    def test_what_was_left_out_is_written_again(
        self, table: Table, stub: Stubber, pauses: list[float]
    ) -> None:
        requests: list[Any] = [{"DeleteRequest": {"Key": key(sort)}} for sort in ("ONE", "TWO")]
        left = {"losi": requests[1:]}
        stub.add_response("batch_write_item", {"UnprocessedItems": left})
        stub.add_response("batch_write_item", {}, {"RequestItems": left})

        table.write_all(requests)

        assert pauses == [0.04]

    def test_a_store_that_leaves_all_out_is_away(self, table: Table, stub: Stubber) -> None:
        requests: list[Any] = [{"DeleteRequest": {"Key": key()}}]
        for _ in range(20):
            stub.add_response("batch_write_item", {"UnprocessedItems": {"losi": requests}})

        with pytest.raises(StoreUnavailableError):
            table.write_all(requests)
