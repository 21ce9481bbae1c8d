"""The model that unit tests take for DynamoDB answers and refuses as DynamoDB Local does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from losi.management.emails import INDEXED
from tests.dynamodb_client import client_of
from tests.dynamodb_model import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Request = dict[str, Any]

KEY = {"pk": {"S": "a"}, "sk": {"S": "1"}}
NOBODY = {"pk": {"S": "nobody"}, "sk": {"S": "1"}}
ITEM = {
    **KEY,
    "n": {"N": "7"},
    "s": {"S": "sun"},
    "set": {"SS": ["x", "y"]},
    "map": {"M": {"inner": {"N": "1"}, "list": {"L": [{"S": "first"}, {"S": "second"}]}}},
    "yes": {"BOOL": True},
}
#: What is stored before each request.
STORED = [
    INDEXED,
    ITEM,
    *({"pk": {"S": "a"}, "sk": {"S": f"2#{n}"}, "n": {"N": str(n)}} for n in range(5)),
    {"pk": {"S": "b"}, "sk": {"S": "1"}, "s": {"S": "moon"}},
]


def put(item: Request, condition: str = "", **values: Any) -> tuple[str, Request]:
    return "put_item", {"Item": item, **conditional(condition, values)}


def delete(key: Request, condition: str = "", **values: Any) -> tuple[str, Request]:
    return "delete_item", {"Key": key, **conditional(condition, values)}


def update(
    expression: str, condition: str = "", key: Request = KEY, **values: Any
) -> tuple[str, Request]:
    asked = {"Key": key, "UpdateExpression": expression, "ReturnValues": "ALL_NEW"}
    return "update_item", {**asked, **conditional(condition, values)}


def query(condition: str, more: Request | None = None, **values: Any) -> tuple[str, Request]:
    asked = {"KeyConditionExpression": condition, "ConsistentRead": True, **(more or {})}
    return "query", {**asked, **conditional("", values)}


def transact(*writes: tuple[str, Request]) -> tuple[str, Request]:
    return "transact_write_items", {"TransactItems": [{kind: write} for kind, write in writes]}


def conditional(condition: str, values: dict[str, Any]) -> Request:
    """With `_name` for the name `#name`."""
    names = {f"#{name[1:]}": value for name, value in values.items() if name[0] == "_"}
    values = {f":{name}": value for name, value in values.items() if name[0] != "_"}
    return {
        **({"ConditionExpression": condition} if condition else {}),
        **({"ReturnValuesOnConditionCheckFailure": "ALL_OLD"} if condition else {}),
        **({"ExpressionAttributeNames": names} if names else {}),
        **({"ExpressionAttributeValues": values} if values else {}),
    }


ONE, SEVEN, TEXT = {"N": "1"}, {"N": "7"}, {"S": "text"}
CHECK = {"Key": NOBODY, "ConditionExpression": "attribute_exists(pk)"}
BUMP = {
    "Key": KEY,
    "UpdateExpression": "ADD n :one",
    "ConditionExpression": "n = :one",
    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    "ExpressionAttributeValues": {":one": ONE},
}

READS = [
    ("get_item", {"Key": KEY, "ConsistentRead": True}),
    ("get_item", {"Key": NOBODY}),
    ("get_item", {"Key": {"pk": {"S": "a"}}}),
    ("get_item", {"Key": {"pk": {"S": ""}, "sk": {"S": "1"}}}),
    ("get_item", {"Key": {"pk": {"N": "1"}, "sk": {"S": "1"}}}),
    query("pk = :pk", pk={"S": "a"}),
    query("pk = :pk", pk={"S": "nobody"}),
    query("pk = :pk AND sk = :sk", pk={"S": "a"}, sk={"S": "1"}),
    query("pk = :pk AND begins_with(sk, :sk)", pk={"S": "a"}, sk={"S": "2#"}),
    query("pk = :pk AND sk BETWEEN :a AND :b", pk={"S": "a"}, a={"S": "1"}, b={"S": "2#2"}),
    query("pk = :pk AND sk < :sk", {"ScanIndexForward": False}, pk={"S": "a"}, sk={"S": "2#3"}),
    query("pk = :pk AND sk > :sk", {"Limit": 2}, pk={"S": "a"}, sk={"S": "1"}),
    query("pk = :pk AND sk > :sk", {"Limit": 5}, pk={"S": "a"}, sk={"S": "1"}),
    query("pk = :pk", {"ExclusiveStartKey": KEY, "Limit": 1}, pk={"S": "a"}),
    query("pk = :pk", {"FilterExpression": "n > :n", "Limit": 3}, pk={"S": "a"}, n=ONE),
    query("pk = :pk", {"FilterExpression": "#n <> :n"}, pk={"S": "a"}, n=ONE, _n="n"),
    query("pk = :pk", {"FilterExpression": "sk > :n"}, pk={"S": "a"}, n={"S": "1"}),
    query("sk = :sk", sk={"S": "1"}),
    query("pk > :pk", pk={"S": "a"}),
    query("pk = :pk AND n = :n", pk={"S": "a"}, n=ONE),
    query("pk = :pk AND sk <> :sk", pk={"S": "a"}, sk={"S": "1"}),
    query("pk = :pk OR sk = :sk", pk={"S": "a"}, sk={"S": "1"}),
    query("pk = :pk AND begins_with(sk, :sk)", pk={"S": "a"}, sk={"S": ""}),
    query("pk = :pk", pk={"S": "a"}, unused=ONE),
    ("scan", {"ConsistentRead": True}),
    (
        "scan",
        {
            "FilterExpression": "sk BETWEEN :a AND :b OR sk = :c",
            "ExpressionAttributeValues": {":a": {"S": "2#1"}, ":b": {"S": "2#3"}, ":c": {"S": "1"}},
        },
    ),
]
WRITES = [
    put({**KEY, "new": TEXT}),
    put({**KEY, "new": TEXT}, "attribute_not_exists(pk)"),
    put(NOBODY, "attribute_not_exists(pk)"),
    put(NOBODY, "attribute_exists(pk)"),
    put({"pk": {"S": "a"}}),
    put({**KEY, "empty": {"S": ""}}),
    put({**KEY, "set": {"SS": []}}),
    put({**KEY, "set": {"SS": ["x", "x"]}}),
    put({**KEY, "n": {"N": "seven"}}),
    put({**KEY, "n": {"N": "1" * 39}}),
    put({**KEY, "large": {"S": "x" * 409_700}}),
    put({**KEY, "large": {"S": "x" * 409_500}}),
    delete(KEY),
    delete(NOBODY),
    delete(KEY, "n = :n", n=ONE),
    delete(KEY, "n = :n", n=SEVEN),
    update("SET new = :v", v=TEXT),
    update("SET new = :v", key=NOBODY, v=TEXT),
    update("SET n = n + :v REMOVE s", v=ONE),
    update("SET n = :v - n", v=ONE),
    update("SET n = if_not_exists(n, :v), m = if_not_exists(m, :v)", v=ONE),
    update("SET n = missing", ""),
    update("SET n = missing + :v", v=ONE),
    update("ADD n :v, m :v", v=ONE),
    update("ADD #map.inner :v", v=ONE, _map="map"),
    update("ADD #map.new :v", v=ONE, _map="map"),
    update("SET #map.#list[1] = :v", v=TEXT, _map="map", _list="list"),
    update("SET #map.#list[9] = :v", v=TEXT, _map="map", _list="list"),
    update("SET #map.missing.deep = :v", v=TEXT, _map="map"),
    update("SET n.deep = :v", v=TEXT),
    update("REMOVE #map.inner, #map.missing", _map="map"),
    update("REMOVE #map.#list[0]", _map="map", _list="list"),
    update("REMOVE missing", ""),
    update("REMOVE missing.deep", ""),
    update("SET new = :v, new = :v", v=TEXT),
    update("SET #map.inner = :v, #map = :v", v=TEXT, _map="map"),
    update("SET new = :v SET other = :v", v=TEXT),
    update("SET pk = :v", v=TEXT),
    update("SET new = :v", v=TEXT, unused=TEXT),
    update("SET new = :v", ""),
    update("SET #new = :v", v=TEXT),
    update("SET name = :v", v=TEXT),
    update("SET new = :v", "count = :v", v=TEXT),
    update("SET new = :v", "missing.deep = :v", v=TEXT),
    update("SET new = :v trailing", v=TEXT),
    update("SET new = :v", "n = :v )", v=TEXT),
    update("SET new :v", v=TEXT),
    update("PUT new = :v", v=TEXT),
    update("SET n = n + :v", v=TEXT),
    update(f"SET new = :v REMOVE {', '.join(f'attribute{n:04}' for n in range(300))}", v=TEXT),
]
CONDITIONS = [
    ("n = :v", SEVEN),
    ("n <> :v", SEVEN),
    ("n < :v", {"N": "10"}),
    ("n >= :v", {"N": "10"}),
    ("n = :v", {"S": "7"}),
    ("n <> :v", {"S": "7"}),
    ("n < :v", {"S": "8"}),
    ("missing = :v", SEVEN),
    ("missing <> :v", SEVEN),
    ("missing < :v", SEVEN),
    ("s > :v", {"S": "moon"}),
    ("#set = :v", {"SS": ["y", "x"]}),
    ("size(#map) = :v", {"N": "2"}),
    ("size(s) = :v", {"N": "3"}),
    ("size(missing) = :v", {"N": "3"}),
    ("size(n) = :v", {"N": "1"}),
    ("yes = :v", {"BOOL": True}),
    ("begins_with(s, :v)", {"S": "su"}),
    ("begins_with(n, :v)", {"S": "su"}),
    ("n BETWEEN :v AND :v", SEVEN),
    ("attribute_exists(#map.inner) AND n = :v", ONE),
    ("attribute_exists(#map.inner) OR n = :v", ONE),
    ("(n = :v OR attribute_not_exists(missing)) AND s = :v", ONE),
    ("n = :v OR attribute_not_exists(missing) AND s = :v", ONE),
    ("#map.#list[1] = :v", {"S": "second"}),
]
BATCHES = [
    ("batch_get_item", {"Keys": [KEY, NOBODY], "ConsistentRead": True}),
    ("batch_get_item", {"Keys": [KEY, KEY]}),
    ("batch_get_item", {"Keys": [{"pk": {"S": "a"}, "sk": {"S": str(n)}} for n in range(101)]}),
    ("batch_write_item", [{"PutRequest": {"Item": NOBODY}}, {"DeleteRequest": {"Key": KEY}}]),
    ("batch_write_item", [{"PutRequest": {"Item": KEY}}, {"DeleteRequest": {"Key": KEY}}]),
    (
        "batch_write_item",
        [{"PutRequest": {"Item": {**KEY, "sk": {"S": f"{n}"}}}} for n in range(26)],
    ),
]
TRANSACTIONS = [
    transact(("Put", {"Item": NOBODY}), ("Delete", {"Key": KEY})),
    transact(("Put", {"Item": {**KEY, "sk": {"S": "new"}}}), ("ConditionCheck", CHECK)),
    transact(("Put", {"Item": KEY}), ("Delete", {"Key": KEY})),
    transact(("Update", BUMP)),
    transact(("Update", BUMP), ("ConditionCheck", CHECK)),
    transact(*(("Put", {"Item": {**KEY, "sk": {"S": f"{n}"}}}) for n in range(101))),
]


@pytest.fixture
def ask(dynamodb: DynamoDBClient, losi_table: str) -> Callable[[str, Any], None]:
    """Asks both and compares what they answer and what they hold afterwards."""
    model = client_of({losi_table: Table()})
    for client in (dynamodb, model):
        puts: Any = [{"PutRequest": {"Item": item}} for item in STORED]
        client.batch_write_item(RequestItems={losi_table: puts})

    def both(operation: str, request: Any) -> None:
        real, ours = (
            answer(client, losi_table, operation, request) for client in (dynamodb, model)
        )
        assert ours == real
        assert stored(model, losi_table) == stored(dynamodb, losi_table)

    return both


def answer(client: DynamoDBClient, table: str, operation: str, request: Any) -> Any:
    """What it says; of a refusal, what a program reads of it."""
    if operation.startswith("batch"):
        request = {"RequestItems": {table: request}}
    elif operation == "transact_write_items":
        writes = [
            {k: {"TableName": table, **w} for k, w in i.items()} for i in request["TransactItems"]
        ]
        request = {"TransactItems": writes}
    else:
        request = {"TableName": table, **request}
    try:
        said = getattr(client, operation)(**request)
    except ParamValidationError:
        return "not sent"
    except ClientError as error:
        told: Any = error.response
        return (
            told["Error"]["Code"],
            told.get("Item"),
            [
                (reason["Code"], reason.get("Item"))
                for reason in told.get("CancellationReasons", [])
            ],
        )
    said.pop("ResponseMetadata")
    said.pop("ConsumedCapacity", None)  # DynamoDB Local says it of deletions, unasked
    if operation == "scan":  # in an order that says nothing
        said["Items"].sort(key=lambda item: (item["pk"]["S"], item["sk"]["S"]))
    return sets_sorted(said)


def stored(client: DynamoDBClient, table: str) -> list[Any]:
    items = client.scan(TableName=table, ConsistentRead=True)["Items"]
    found: list[Any] = sets_sorted(
        sorted(items, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))
    )
    return found


def sets_sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: sorted(v) if k == "SS" else sets_sorted(v) for k, v in value.items()}
    return [sets_sorted(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("operation", "request_"), [*READS, *WRITES, *BATCHES, *TRANSACTIONS])
def test_it_answers_as_dynamodb(
    operation: str, request_: Any, ask: Callable[[str, Any], None]
) -> None:
    ask(operation, request_)


@pytest.mark.parametrize(("condition", "value"), CONDITIONS)
def test_a_condition_is_met_as_dynamodb_meets_it(
    condition: str, value: Any, ask: Callable[[str, Any], None]
) -> None:
    named: Any = {f"_{name}": name for name in ("map", "set", "list") if f"#{name}" in condition}

    ask(*update("SET met = :v", condition, v=value, **named))
