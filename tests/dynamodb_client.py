"""The model of DynamoDB as the project calls DynamoDB: by boto3's own client and by the lean one.

What botocore checks and reports of a call it checks and reports here: names and types of
parameters, exceptions, paginators, and events (`provide-client-params`, `before-call`,
`after-call`): https://docs.aws.amazon.com/boto3/latest/guide/events.html
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.exceptions import ParamValidationError
from botocore.hooks import HierarchicalEmitter
from botocore.validate import ParamValidator

from tests.dynamodb_items import RefusedError, ValidationError
from tests.dynamodb_model import Answer, Request, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: The name of the table that most tests have.
TABLE = "losi"

_CONDITION = {
    "ConditionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnValuesOnConditionCheckFailure",
}
_READ = {
    "FilterExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ConsistentRead",
    "Limit",
    "ExclusiveStartKey",
}
#: What the model knows of each operation's parameters, beside `TableName`.
KNOWN = {
    "GetItem": {"Key", "ConsistentRead"},
    "PutItem": {"Item", *_CONDITION},
    "UpdateItem": {"Key", "UpdateExpression", "ReturnValues", *_CONDITION},
    "DeleteItem": {"Key", *_CONDITION},
    "Query": {"KeyConditionExpression", "ScanIndexForward", *_READ},
    "Scan": _READ,
    "BatchGetItem": {"RequestItems"},
    "BatchWriteItem": {"RequestItems"},
    "TransactWriteItems": {"TransactItems", "ClientRequestToken"},
}


class NotFoundError(RefusedError):
    code = "ResourceNotFoundException"


class DynamoDB:
    """An account with tables by their names. Operations by their names, too; requests and answers
    as botocore has them. Raises RefusedError.
    """

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables = tables

    def call(self, operation: str, request: Request) -> Answer:
        known = {*KNOWN.get(operation, ()), "TableName", "ReturnConsumedCapacity"}
        if operation not in KNOWN or request.keys() - known:
            raise ValidationError(f"the model does not know {operation} of {sorted(request)}")
        match operation:
            case "BatchGetItem" | "BatchWriteItem":
                return self._batch(operation, *request["RequestItems"].items())
            case "TransactWriteItems":
                writes = request["TransactItems"]
                table = self._only_table(w["TableName"] for each in writes for w in each.values())
                table.transact_write_items(writes)
                return {}
        table = self._only_table([request["TableName"]])
        match operation:
            case "GetItem":
                found = table.batch_get_item([request["Key"]])
                return {"Item": found[0]} if found else {}
            case "PutItem":
                table.put_item(request)
            case "UpdateItem":
                item = table.update_item(request)
                return {"Attributes": item} if request.get("ReturnValues") == "ALL_NEW" else {}
            case "DeleteItem":
                table.delete_item(request)
            case "Query":
                return table.query(request)
            case "Scan":
                return table.scan(request)
        return {}

    def _batch(self, operation: str, asked: tuple[str, Any], *more: object) -> Answer:
        name, of_table = asked
        if more:
            raise ValidationError("the model knows batches of one table")
        if operation == "BatchWriteItem":
            self._only_table([name]).batch_write_item(of_table)
            return {"UnprocessedItems": {}}
        found = self._only_table([name]).batch_get_item(of_table["Keys"])
        return {"Responses": {name: found}, "UnprocessedKeys": {}}

    def _only_table(self, names: Iterable[str]) -> Table:
        found = {name: self._tables.get(name) for name in names}
        if None in found.values():
            raise NotFoundError("Requested resource not found")
        if len(found) > 1:
            raise ValidationError("the model knows transactions of one table")
        [table] = found.values()
        assert table is not None
        return table


def client_of(tables: Mapping[str, Table]) -> DynamoDBClient:
    """boto3's client in an account with these tables; its events are its own."""
    made: Any = object.__new__(type(_boto3()))
    made.__dict__.update(vars(_boto3()))
    made.meta = copy.copy(made.meta)
    made.meta.events = HierarchicalEmitter()
    made._make_api_call = _Calls(DynamoDB(tables), made).call
    return cast("DynamoDBClient", made)


@cache
def _boto3() -> Any:
    """Made once, as it takes longer than a thousand calls."""
    return boto3.client(
        "dynamodb", "us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )


class _Calls:
    """What botocore does around a call."""

    def __init__(self, dynamodb: DynamoDB, client: Any) -> None:
        self._dynamodb, self._client = dynamodb, client

    def call(self, operation: str, request: Request) -> Answer:
        events, name = self._client.meta.events, f"dynamodb.{operation}"
        model = self._client.meta.service_model.operation_model(operation)
        events.emit(f"provide-client-params.{name}", params=request, model=model)
        report = ParamValidator().validate(request, model.input_shape)
        if report.has_errors():
            raise ParamValidationError(report=report.generate_report())
        told = events.emit_until_response(f"before-call.{name}", params=request, model=model)[1]
        status, answer = (told[0].status_code, told[1]) if told else self._told(operation, request)
        answer["ResponseMetadata"] = {"HTTPStatusCode": status, "HTTPHeaders": {}}
        events.emit(f"after-call.{name}", parsed=answer, model=model)
        if status >= 300:
            raise self._client.exceptions.from_code(answer["Error"]["Code"])(answer, operation)
        return answer

    def _told(self, operation: str, request: Request) -> tuple[int, Answer]:
        try:
            return 200, self._dynamodb.call(operation, request)
        except RefusedError as error:
            return 400, error.answer()
