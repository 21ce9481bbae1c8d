"""The environment is read in one place, and that place explains every variable."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from local.table import load_template
from losi import config
from losi.config import Config, Retention, read_config

LOSI = Path(config.__file__).parent
#: X-Ray's SDK reads the trace id that the runtime writes; the site asks whether SAM runs it; and
#: credentials change while a process lives (SnapStart sets others after the restore).
ELSEWHERE = {
    "aws/runtime/loop.py": {"_X_AMZN_TRACE_ID"},
    "web/site.py": {"AWS_SAM_LOCAL"},
    "store/signing.py": {"env = os.environ"},
}


def test_nothing_else_reads_the_environment() -> None:
    for path in LOSI.rglob("*.py"):
        lines = [
            line for line in path.read_text().splitlines() if re.search(r"os.environ|getenv", line)
        ]
        name = str(path.relative_to(LOSI))
        if name != "config.py":
            allowed = ELSEWHERE.get(name, set())
            assert all(any(each in line for each in allowed) for line in lines), (name, lines)


def test_every_variable_is_explained() -> None:
    explained = config.__doc__ or ""
    read = set(re.findall(r'get\("([A-Z_]+)"', Path(config.__file__).read_text()))
    template = load_template()
    functions = [template["Globals"]["Function"]["Environment"]["Variables"]]
    functions += [
        each["Properties"].get("Environment", {}).get("Variables", {})
        for each in template["Resources"].values()
        if each["Type"] == "AWS::Serverless::Function"
    ]
    deployed = {name for variables in functions for name in variables if name[:5] == "LOSI_"}

    assert {"LOSI_TABLE", "LOSI_STAGE"} <= read
    families = re.findall(r"([A-Z_]+_)\*", explained)
    for name in read | (deployed - {"LOSI_BEDROCK_REGION"}):
        assert name in explained or name.startswith(tuple(families)), name


#: Of a process whose environment says nothing.
DEFAULTS: dict[str, Any] = {
    "table": "",
    "provider_secret": "",
    "sandbox_fallback": False,
    "dynamodb_endpoint": "",
    "secrets_endpoint": "",
    "region": "",
    "store_seconds": 2.5,
    "log_level": "INFO",
    "settlements_queue": "",
    "dead_settlements_queue": "",
    "settlements_folder": "",
    "local_data": "",
    "stage": "",
    "sign_in": "",
    "sign_in_parameter": "",
    "self_sign_up_plan": "",
    "self_sign_ups_a_day": 0,
    "support": "",
    "metrics_namespace": "",
    "metrics_details": False,
    "retention": Retention(usage_days=800, audit_days=400, session_days=7),
    "canary_url": "",
    "runtime_api": "",
    "max_concurrency": 1,
    "handler": "",
    "task_root": ".",
    "takes_snapshot": False,
    "function_name": "",
    "function_version": "",
    "memory_limit_in_mb": "",
    "log_group_name": "",
    "log_stream_name": "",
    "variables": {},
}
#: Variable -> its value, the field, and what the field then is.
VARIABLES: dict[str, tuple[str, str, Any]] = {
    "LOSI_TABLE": ("t", "table", "t"),
    "LOSI_PROVIDER_SECRET": ("p", "provider_secret", "p"),
    "LOSI_SANDBOX_FALLBACK": ("1", "sandbox_fallback", True),
    "AWS_ENDPOINT_URL_DYNAMODB": ("http://d", "dynamodb_endpoint", "http://d"),
    "AWS_ENDPOINT_URL_SECRETS_MANAGER": ("http://s", "secrets_endpoint", "http://s"),
    "AWS_REGION": ("eu-west-1", "region", "eu-west-1"),
    "AWS_DEFAULT_REGION": ("eu-west-2", "region", "eu-west-2"),
    "LOSI_STORE_SECONDS": ("9.5", "store_seconds", 9.5),
    "AWS_LAMBDA_LOG_LEVEL": ("ERROR", "log_level", "ERROR"),
    "LOSI_SETTLEMENTS_QUEUE": ("q", "settlements_queue", "q"),
    "LOSI_DEAD_SETTLEMENTS_QUEUE": ("dq", "dead_settlements_queue", "dq"),
    "LOSI_SETTLEMENTS_FOLDER": ("f", "settlements_folder", "f"),
    "LOSI_DATA": ("d", "local_data", "d"),
    "LOSI_STAGE": ("prod", "stage", "prod"),
    "LOSI_SIGN_IN": ("{}", "sign_in", "{}"),
    "LOSI_SIGN_IN_PARAMETER": ("/p", "sign_in_parameter", "/p"),
    "LOSI_SELF_SIGN_UP_PLAN": ("free", "self_sign_up_plan", "free"),
    "LOSI_SELF_SIGN_UPS_A_DAY": ("5", "self_sign_ups_a_day", 5),
    "LOSI_SUPPORT": ("a@b", "support", "a@b"),
    "LOSI_METRICS": ("Losi", "metrics_namespace", "Losi"),
    "LOSI_METRICS_DETAILS": ("1", "metrics_details", True),
    "LOSI_USAGE_DAYS": ("30", "retention", Retention(usage_days=30)),
    "LOSI_AUDIT_DAYS": ("31", "retention", Retention(audit_days=31)),
    "LOSI_SESSION_DAYS": ("1", "retention", Retention(session_days=1)),
    "LOSI_CANARY_URL": ("https://c", "canary_url", "https://c"),
    "AWS_LAMBDA_RUNTIME_API": ("h:1", "runtime_api", "h:1"),
    "AWS_LAMBDA_MAX_CONCURRENCY": ("64", "max_concurrency", 64),
    "_HANDLER": ("app.handler", "handler", "app.handler"),
    "LAMBDA_TASK_ROOT": ("/var/task", "task_root", "/var/task"),
    "AWS_LAMBDA_INITIALIZATION_TYPE": ("snap-start", "takes_snapshot", True),
    "AWS_LAMBDA_FUNCTION_NAME": ("fn", "function_name", "fn"),
    "AWS_LAMBDA_FUNCTION_VERSION": ("3", "function_version", "3"),
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": ("256", "memory_limit_in_mb", "256"),
    "AWS_LAMBDA_LOG_GROUP_NAME": ("g", "log_group_name", "g"),
    "AWS_LAMBDA_LOG_STREAM_NAME": ("s", "log_stream_name", "s"),
}


def fields(found: Config) -> dict[str, Any]:
    return {field: getattr(found, field) for field in found.__dataclass_fields__}


def read(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> dict[str, Any]:
    monkeypatch.setattr(os, "environ", environment)
    return fields(read_config())


def test_an_empty_environment_leaves_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fields(Config()) == DEFAULTS
    assert read(monkeypatch, {}) == DEFAULTS | {"task_root": os.getcwd()}


@pytest.mark.parametrize("name", VARIABLES)
def test_each_variable_is_one_field(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value, field, expected = VARIABLES[name]
    variables = {name: value} if name.startswith("LOSI_") else {}

    found = read(monkeypatch, {"LAMBDA_TASK_ROOT": ".", name: value})

    assert found == DEFAULTS | {field: expected, "variables": variables}


def test_the_table_names_all_variables() -> None:
    assert set(re.findall(r'get\("([A-Z_]+)"', Path(config.__file__).read_text())) == set(VARIABLES)


@pytest.mark.parametrize("name", ["LOSI_SANDBOX_FALLBACK", "LOSI_METRICS_DETAILS"])
def test_only_1_switches_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for off in ("", "0", "true"):
        assert read(monkeypatch, {name: off})[VARIABLES[name][1]] is False


def test_the_region_of_the_process_comes_before_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}

    assert read(monkeypatch, both)["region"] == "eu-west-1"


@pytest.mark.parametrize(
    ("found", "signs_in"),
    [(Config(), False), (Config(sign_in="{}"), True), (Config(sign_in_parameter="/p"), True)],
)
def test_people_sign_in_where_either_says_how(found: Config, signs_in: bool) -> None:
    assert found.signs_in is signs_in


def test_it_is_read_once_and_does_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSI_TABLE", "a-table")
    monkeypatch.setenv("LOSI_GROQ_API_KEY", "a-key")
    monkeypatch.delenv("LOSI_SANDBOX_FALLBACK", raising=False)
    found = read_config()
    monkeypatch.setenv("LOSI_TABLE", "another")

    assert (found.table, found.sandbox_fallback) == ("a-table", False)
    assert found.variables["LOSI_GROQ_API_KEY"] == "a-key"


@pytest.mark.parametrize(
    "found",
    [Config(variables={"LOSI_OPENAI_API_KEY": "sk-live"}), Config(sign_in='{"secret": "sk-live"}')],
)
def test_no_secret_shows_where_the_config_is_printed(found: Config) -> None:
    assert "sk-live" not in repr(found)
