"""Where the table is: in a deployed stack, or at the local API."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from losi.config import KEPT, Retention, read_config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: Where `make run` keeps its data unless LOSI_DATA names another folder, and the file it writes
#: there.
LOCAL_DATA = ".losi"
LOCAL_STATE = "local.json"
TABLE_OUTPUT = "TableName"


class CannotConnectError(Exception):
    """Why there is no table to work on, and what to do, in one line."""


@dataclass(frozen=True)
class Connection:
    client: "DynamoDBClient"
    table: str
    #: URL of the local DynamoDB; None on AWS.
    endpoint: str | None = None
    #: URL of the API; "" if it is not known.
    base_url: str = ""
    #: Data folder of a local server.
    data: Path | None = None
    #: Name, Region, outputs and parameters of a deployed stack.
    stack: str = ""
    region: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def retention(self) -> Retention:
        """The retention of the deployed stack, or that of `make run` for a local one."""
        return Retention(
            int(self.parameters.get("UsageDays", KEPT.usage_days)),
            int(self.parameters.get("AuditDays", KEPT.audit_days)),
            int(self.parameters.get("SessionDays", KEPT.session_days)),
        )

    def aws(self, service: str) -> Any:
        """A client for another service of a deployed stack's Region."""
        return _client(service, region_name=self.region)


def connect(stack: str | None, region: str | None) -> Connection:
    """The stack's table; without a stack the one named by the environment, or by `make run`."""
    if stack is not None:
        return _stack(stack, region)
    config = read_config()
    endpoint, table = config.dynamodb_endpoint, config.table
    if not (endpoint and table):
        return _made_by_make_run(config.local_data)
    return Connection(_local_client(endpoint), table, endpoint)


def _made_by_make_run(data: str) -> Connection:
    here = Path.cwd()
    folders = [here / data] if data else [each / LOCAL_DATA for each in (here, *here.parents)]
    for folder in folders:
        if (state := folder / LOCAL_STATE).is_file():
            try:
                found = json.loads(state.read_text())
                endpoint, table = found["dynamodb_endpoint"], found["table"]
                url = found.get("base_url", "")
            except (ValueError, KeyError, TypeError):
                raise CannotConnectError(f"{state} is damaged: start `make run` again.") from None
            return Connection(_local_client(endpoint), table, endpoint, url, folder)
    raise CannotConnectError(
        "Which API? Start a local one with `make run` and call losi in the same directory, or "
        "name a deployed one with --stack and --region."
    )


def _stack(stack: str, region: str | None) -> Connection:
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

    try:
        cloudformation = _client("cloudformation", region_name=region)
        [found] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        where = cloudformation.meta.region_name
        outputs = {row["OutputKey"]: row["OutputValue"] for row in found.get("Outputs", [])}
        if TABLE_OUTPUT not in outputs:
            raise CannotConnectError(f"The stack {stack} in {where} has no output {TABLE_OUTPUT}.")
        return Connection(
            _client("dynamodb", region_name=where),
            outputs[TABLE_OUTPUT],
            base_url=outputs.get("BaseUrl", ""),
            stack=stack,
            region=where,
            outputs=outputs,
            parameters={
                row["ParameterKey"]: row["ParameterValue"] for row in found.get("Parameters", [])
            },
        )
    except NoRegionError:
        raise CannotConnectError(
            "Which region? Add --region, such as --region us-east-1."
        ) from None
    except NoCredentialsError:
        raise CannotConnectError(
            "No AWS credentials were found. Sign in with `aws login`."
        ) from None
    except ClientError as error:
        raise CannotConnectError(f"AWS refused: {error.response['Error']['Message']}") from None
    except BotoCoreError as error:
        raise CannotConnectError(f"AWS cannot be reached: {error}") from None


def _client(service: str, **where: Any) -> Any:
    import boto3

    return boto3.client(service, config=_config(), **where)  # type: ignore[call-overload]


def _local_client(endpoint: str) -> Any:
    """A local DynamoDB takes any credentials, and must not be sent real ones: so no profile is
    read, there or not, and no proxy is asked.
    """
    import boto3
    from botocore.session import Session

    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    without_profile = Session({"profile": (None, None, None, None)})
    session = boto3.Session(region_name="us-east-1", botocore_session=without_profile, **keys)
    return session.client("dynamodb", endpoint_url=endpoint, config=_config(proxies={}))


def _config(**more: Any) -> Any:
    from botocore.config import Config

    return Config(
        retries={"mode": "standard", "total_max_attempts": 3},
        connect_timeout=5,
        # with a stack named, an endpoint in the environment (of a local DynamoDB) must not win
        ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]
        **more,
    )
