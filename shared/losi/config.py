"""The configuration, read once from the environment when a process starts, and passed down.

| variable | set by | |
|---|---|---|
| LOSI_TABLE | template.yaml, `make run` | the DynamoDB table |
| LOSI_PROVIDER_SECRET | template.yaml | the Secrets Manager secret that holds provider variables |
| LOSI_<PROVIDER>_... | the operator | keys, URLs, Regions of providers; providers.toml names them |
| LOSI_SANDBOX_FALLBACK | `make run`: 1 | the sandbox answers for models whose providers have none |
| LOSI_SETTLEMENTS_QUEUE | template.yaml | URL of the queue for what the table did not take |
| LOSI_DEAD_SETTLEMENTS_QUEUE | template.yaml | the same for what can never be settled |
| LOSI_SETTLEMENTS_FOLDER | | the folder that stands in for it where there is no queue |
| LOSI_STAGE | template.yaml | the stage's name, in the name of the session cookie |
| LOSI_SIGN_IN | | issuer, client_id and client_secret of OpenID Connect, as JSON |
| LOSI_SIGN_IN_PARAMETER | template.yaml | the parameter of Systems Manager that holds them |
| LOSI_SELF_SIGN_UP_PLAN | template.yaml | the plan of accounts that people make themselves |
| LOSI_SELF_SIGN_UPS_A_DAY | template.yaml | how many they make on one day |
| LOSI_USAGE_DAYS, LOSI_AUDIT_DAYS, LOSI_SESSION_DAYS | template.yaml | how long these are kept |
| LOSI_CANARY_URL | template.yaml | the base URL that the canary asks |
| LOSI_SUPPORT | template.yaml, `make run` | where people get help: in messages, console, docs |
| LOSI_DATA | `make run`, in demo.env | the folder of a local server's data, for it and for `losi` |
| LOSI_METRICS | template.yaml | namespace of the metrics in each request's line |
| LOSI_METRICS_DETAILS | template.yaml: 1 | metrics by model, route and error too |
| AWS_ENDPOINT_URL_DYNAMODB | `make run` | a DynamoDB that is not AWS's; boto3 reads it too |
| AWS_ENDPOINT_URL_SECRETS_MANAGER | | a Secrets Manager that is not AWS's |
| AWS_REGION, AWS_DEFAULT_REGION | Lambda | the Region of the table; boto3 reads them too |
| LOSI_STORE_SECONDS | `make run` | how long a request waits for the store; 2.5 |
| AWS_LAMBDA_LOG_LEVEL | Lambda, from LogLevel | how much is logged; INFO elsewhere |
| AWS_LAMBDA_RUNTIME_API | Lambda | where the streaming runtime gets its invocations |
| AWS_LAMBDA_MAX_CONCURRENCY | Lambda Managed Instances | how many of them at once; 1 |
| _HANDLER, LAMBDA_TASK_ROOT | Lambda | the function's code |
| AWS_LAMBDA_INITIALIZATION_TYPE | Lambda | whether a snapshot is about to be taken |
| AWS_LAMBDA_FUNCTION_*, AWS_LAMBDA_LOG_* | Lambda | what a handler's `context` says |

`sam local` sets AWS_SAM_LOCAL (losi/web/site.py). Local programs also take PORT, FRESH and
DEMO_USAGE, and `losi` takes LOSI_STACK and AWS_REGION for its options. AWS's credentials
are boto3's own matter.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

#: Used unless template.yaml's parameters say otherwise.
USAGE_DAYS, AUDIT_DAYS, SESSION_DAYS = 800, 400, 7


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days stored data are kept (docs/data.md)."""

    usage_days: int = USAGE_DAYS
    audit_days: int = AUDIT_DAYS
    #: The longest life of a session, however much it is used.
    session_days: int = SESSION_DAYS


KEPT = Retention()


@dataclass(frozen=True, slots=True)
class Config:
    table: str = ""
    provider_secret: str = ""
    sandbox_fallback: bool = False
    dynamodb_endpoint: str = ""
    secrets_endpoint: str = ""
    region: str = ""
    #: Short enough that requests are refused within three seconds if the store hangs.
    store_seconds: float = 2.5
    log_level: str = "INFO"
    settlements_queue: str = ""
    dead_settlements_queue: str = ""
    settlements_folder: str = ""
    local_data: str = ""
    stage: str = ""
    #: Our registration at the OpenID Connect issuer, as JSON, or the name of the parameter that
    #: holds it.
    sign_in: str = field(default="", repr=False)
    sign_in_parameter: str = ""
    #: The plan of accounts that people create themselves, and the most of them in a day. Empty:
    #: nobody can create one.
    self_sign_up_plan: str = ""
    self_sign_ups_a_day: int = 0
    #: The operator's e-mail address or URL for support.
    support: str = ""
    #: CloudWatch's namespace for metrics; empty for none. `details`: metrics by model, route and
    #: error too.
    metrics_namespace: str = ""
    metrics_details: bool = False
    retention: Retention = KEPT
    #: The API's own base URL, if there is a canary.
    canary_url: str = ""
    runtime_api: str = ""
    max_concurrency: int = 1
    handler: str = ""
    task_root: str = os.curdir
    takes_snapshot: bool = False
    function_name: str = ""
    function_version: str = ""
    memory_limit_in_mb: str = ""
    log_group_name: str = ""
    log_stream_name: str = ""
    #: All variables that begin with LOSI_: those of providers are data, not fields of ours.
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def signs_in(self) -> bool:
        """Whether people can sign in with an issuer."""
        return bool(self.sign_in or self.sign_in_parameter)


def read_config() -> Config:
    get = os.environ.get
    return Config(
        table=get("LOSI_TABLE", ""),
        provider_secret=get("LOSI_PROVIDER_SECRET", ""),
        sandbox_fallback=get("LOSI_SANDBOX_FALLBACK") == "1",
        dynamodb_endpoint=get("AWS_ENDPOINT_URL_DYNAMODB", ""),
        secrets_endpoint=get("AWS_ENDPOINT_URL_SECRETS_MANAGER", ""),
        region=get("AWS_REGION") or get("AWS_DEFAULT_REGION", ""),
        store_seconds=float(get("LOSI_STORE_SECONDS") or "2.5"),
        log_level=get("AWS_LAMBDA_LOG_LEVEL", "INFO"),
        settlements_queue=get("LOSI_SETTLEMENTS_QUEUE", ""),
        dead_settlements_queue=get("LOSI_DEAD_SETTLEMENTS_QUEUE", ""),
        settlements_folder=get("LOSI_SETTLEMENTS_FOLDER", ""),
        local_data=get("LOSI_DATA", ""),
        stage=get("LOSI_STAGE", ""),
        support=get("LOSI_SUPPORT", ""),
        metrics_namespace=get("LOSI_METRICS", ""),
        metrics_details=get("LOSI_METRICS_DETAILS") == "1",
        sign_in=get("LOSI_SIGN_IN", ""),
        sign_in_parameter=get("LOSI_SIGN_IN_PARAMETER", ""),
        self_sign_up_plan=get("LOSI_SELF_SIGN_UP_PLAN", ""),
        self_sign_ups_a_day=int(get("LOSI_SELF_SIGN_UPS_A_DAY") or "0"),
        canary_url=get("LOSI_CANARY_URL", ""),
        retention=Retention(
            int(get("LOSI_USAGE_DAYS") or USAGE_DAYS),
            int(get("LOSI_AUDIT_DAYS") or AUDIT_DAYS),
            int(get("LOSI_SESSION_DAYS") or SESSION_DAYS),
        ),
        runtime_api=get("AWS_LAMBDA_RUNTIME_API", ""),
        max_concurrency=int(get("AWS_LAMBDA_MAX_CONCURRENCY") or "1"),
        handler=get("_HANDLER", ""),
        task_root=get("LAMBDA_TASK_ROOT", os.getcwd()),
        takes_snapshot=get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start",
        function_name=get("AWS_LAMBDA_FUNCTION_NAME", ""),
        function_version=get("AWS_LAMBDA_FUNCTION_VERSION", ""),
        memory_limit_in_mb=get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", ""),
        log_group_name=get("AWS_LAMBDA_LOG_GROUP_NAME", ""),
        log_stream_name=get("AWS_LAMBDA_LOG_STREAM_NAME", ""),
        variables={name: value for name, value in os.environ.items() if name.startswith("LOSI_")},
    )
