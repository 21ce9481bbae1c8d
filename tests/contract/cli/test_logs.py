"""`losi logs`: the same question to a local server's file and to CloudWatch Logs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from losi.cli import connection as cli_connection
from losi.cli.connection import Connection
from losi.cli.logs import Wanted, _lines, _pattern
from losi.observe.request import Attempt, RequestLine
from tests.contract.cli.command_line import data, error, output

pytestmark = pytest.mark.usefixtures("elsewhere")

ACCOUNT = "acct_Xy12Ab34Cd"
AT = datetime(2026, 11, 26, 14, 3, 30, tzinfo=UTC)


def line(ended: datetime, request_id: str = "req_1", **fields: Any) -> str:
    made = RequestLine(request_id, "POST", "curl")
    values = {"account": ACCOUNT, "endpoint": "create_chat_completion", "status": 200, **fields}
    for name, value in {**values, "timestamp": ended.isoformat()}.items():
        setattr(made, name, value)
    return json.dumps(
        made.as_json(), default=lambda each: {name: getattr(each, name) for name in each.__slots__}
    )


FAILED = line(
    AT,
    "req_failed",
    status=502,
    error="upstream_error",
    error_type="server_error",
    attempts=[Attempt("openai/gpt-4o", "upstream_error", 12, 1_000, 100)],
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Of a local server, in the folder in which `losi` is called."""
    folder = tmp_path / ".losi"
    folder.mkdir()
    reach = {"dynamodb_endpoint": "http://127.0.0.1:1", "table": "losi"}
    (folder / "local.json").write_text(json.dumps(reach))
    return folder / "requests.jsonl"


MINUTE = Wanted(AT.replace(second=0), AT.replace(second=0) + timedelta(minutes=1))
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("wanted", "ended", "fields", "taken"),
    [
        (MINUTE, AT, {}, True),
        (MINUTE, MINUTE.start, {}, True),
        (MINUTE, MINUTE.start - SECOND, {}, False),
        (MINUTE, MINUTE.end, {}, False),
        (MINUTE, MINUTE.end, {"duration_ms": 1}, True),
        (MINUTE, MINUTE.end + SECOND, {"duration_ms": 1_000}, False),
        (replace(MINUTE, account=ACCOUNT), AT, {}, True),
        (replace(MINUTE, account="acct_other"), AT, {}, False),
        (replace(MINUTE, request="req_1"), AT, {}, True),
        (replace(MINUTE, request="req_2"), AT, {}, False),
        (replace(MINUTE, failed=True), AT, {}, False),
        (replace(MINUTE, failed=True), AT, {"error": "upstream_error"}, True),
    ],
)
def test_what_is_wanted_is_taken_and_nothing_else(
    wanted: Wanted, ended: datetime, fields: dict[str, Any], taken: bool
) -> None:
    assert wanted.takes(json.loads(line(ended, **fields))) is taken
    assert wanted.takes({"run": "canary"}) is False


@pytest.mark.parametrize(
    ("wanted", "pattern"),
    [
        (MINUTE, '{ ($.request_id = "*") }'),
        (replace(MINUTE, request="req_1"), '{ ($.request_id = "req_1") }'),
        (
            replace(MINUTE, account="acct_1"),
            '{ ($.request_id = "*") && ($.account = "acct_1") }',
        ),
    ],
)
def test_cloudwatch_is_asked_for_no_more(wanted: Wanted, pattern: str) -> None:
    assert _pattern(wanted) == pattern


class TestOfALocalServer:
    def test_a_stranger_who_gets_no_answer_at_an_unknown_url(self, log: Path) -> None:
        fields = {"account": None, "endpoint": None, "status": None, "error": "client_gone"}
        log.write_text(line(AT, "req_odd", **fields) + "\n")

        assert output("logs", "--at", "2026-11-26T14:03").splitlines() == [
            "2026-11-26 14:03:30  req_odd  no answer client_gone",
            "  a stranger  POST  0 ms",
        ]

    def test_what_is_lost_is_what_is_known_of_it(self, log: Path) -> None:
        attempts = [
            Attempt("openai/gpt-4o", "upstream_error", 12, 1_000, None),
            Attempt("openai/gpt-4o", "upstream_error", 12, None, 200),
            Attempt("openai/gpt-4o", "ok", 12, None, None),
        ]
        log.write_text(line(AT, attempts=attempts, model="gpt-4o") + "\n")

        said = output("logs", "--at", "2026-11-26T14:03").splitlines()

        assert said[1].endswith("create_chat_completion gpt-4o  0 ms")
        assert said[-1] == "  lost, yours to pay: 1,200 tokens"

    def test_a_minute_without_a_day_is_of_today(self, log: Path) -> None:
        now = datetime.now(UTC)
        log.write_text(line(now) + "\n")

        assert len(data("logs", "--at", f"{now:%H:%M}")) == 1

    def test_they_come_in_the_order_of_their_ends(self, log: Path) -> None:
        texts = [line(AT, "req_2"), line(AT - SECOND, "req_1"), "[1]", '"a text"', "prose"]
        log.write_text("".join(text + "\n" for text in texts))

        found = data("logs", "--at", "2026-11-26T14:03")

        assert [each["request_id"] for each in found] == ["req_1", "req_2"]

    def test_one_request_by_its_id(self, log: Path) -> None:
        log.write_text(line(AT, "req_1") + "\n" + line(AT, "req_2") + "\n")

        [found] = data("logs", "--at", "2026-11-26T14:03", "--request", "req_2")

        assert found["request_id"] == "req_2"

    @pytest.mark.parametrize(("options", "found"), [([], 1), (["--minutes", "62"], 2)])
    def test_how_far_back_it_looks(self, log: Path, options: list[str], found: int) -> None:
        now = datetime.now(UTC)
        ends = (now - timedelta(minutes=59), now - timedelta(minutes=61))
        log.write_text("".join(line(end) + "\n" for end in ends))

        assert len(data("logs", *options)) == found

    def test_it_says_what_failed_why_and_who_pays(self, log: Path) -> None:
        log.write_text(FAILED + "\n" + line(AT, "req_fine", micro_usd=3_000) + "\n")

        told = output("logs", "--account", ACCOUNT, "--at", "2026-11-26T14:03", "--failed")

        assert told.splitlines() == [
            "2026-11-26 14:03:30  req_failed  502 upstream_error",
            f"  {ACCOUNT}  create_chat_completion  0 ms",
            "  openai/gpt-4o: upstream_error after 12 ms",
            "  lost, yours to pay: 1,100 tokens",
        ]

    def test_it_says_what_an_account_is_billed(self, log: Path) -> None:
        log.write_text(line(AT, micro_usd=3_000) + "\n")

        assert "billed to the account: 0.003000 USD" in output("logs", "--at", "2026-11-26T14:03")

    def test_whole_lines_are_json(self, log: Path) -> None:
        log.write_text(FAILED + "\n")

        (found,) = data("logs", "--at", "2026-11-26T14:03")

        assert found == json.loads(FAILED)

    def test_a_request_is_of_every_minute_in_which_it_ran(self, log: Path) -> None:
        log.write_text(line(AT, duration_ms=120_000) + "\n")

        for minute, requests in (("14:00", 0), ("14:01", 1), ("14:03", 1), ("14:04", 0)):
            assert len(data("logs", "--at", f"2026-11-26T{minute}")) == requests

    def test_without_a_minute_it_is_the_last_hour(self, log: Path) -> None:
        now = datetime.now(UTC)
        log.write_text(line(now, "req_new") + "\n" + line(now - timedelta(hours=2), "req_old"))

        assert [each["request_id"] for each in data("logs")] == ["req_new"]

    def test_the_file_before_is_read_too(self, log: Path) -> None:
        log.with_name("requests.jsonl.1").write_text(FAILED + "\n")

        assert len(data("logs", "--at", "2026-11-26T14:03")) == 1

    def test_none_is_said_in_words(self, log: Path) -> None:
        told = output("logs", "--at", "2026-11-26T14:03")

        assert told == "No such requests from 2026-11-26 14:03 to 14:04 UTC.\n"

    @pytest.mark.parametrize("text", ["25:00", "yesterday", "14:03:12"])
    def test_a_minute_that_is_none_is_refused(self, log: Path, text: str) -> None:
        assert "write 14:03 or 2026-11-26T14:03" in error("logs", "--at", text)

    def test_what_could_leave_the_filter_is_no_request_id(self, log: Path) -> None:
        assert "is no request id" in error("logs", "--request", 'x" || ($.a = "b')


def test_a_table_alone_has_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1")
    monkeypatch.setenv("LOSI_TABLE", "losi")

    said = error("logs")
    assert said == "A DynamoDB alone has no log. Name a stack, or LOSI_DATA."


#: CloudWatch Logs refuses events of another day's time.
NOW = datetime.now(UTC)
RECENT = line(NOW, "req_recent")


class TestOfAStack:
    @pytest.fixture
    def connection(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
        with mock_aws():
            logs = boto3.client("logs", region_name="eu-west-1")
            for stack, text in (("prod", RECENT), ("prod", "REPORT prose"), ("other", RECENT)):
                group = f"/losi/{stack}/chat-completions"
                if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
                    logs.create_log_group(logGroupName=group)
                    logs.create_log_stream(logGroupName=group, logStreamName="one")
                logs.put_log_events(
                    logGroupName=group,
                    logStreamName="one",
                    logEvents=[{"timestamp": int(NOW.timestamp() * 1000), "message": text}],
                )
            yield Connection(None, "losi", region="eu-west-1", stack="prod")  # type: ignore[arg-type]

    def test_it_reads_the_groups_of_its_functions(self, connection: Connection) -> None:
        wanted = Wanted(NOW - timedelta(minutes=1), NOW + timedelta(minutes=1), ACCOUNT)

        assert list(_lines(connection, wanted)) == [json.loads(RECENT)]

    def test_of_what_came_then_and_until_16_minutes_later(
        self, connection: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[dict[str, Any]] = []
        make = cli_connection._client

        def client(service: str, **where: Any) -> Any:
            made = make(service, **where)
            made.meta.events.register(
                "provide-client-params.logs.FilterLogEvents",
                lambda params, **_: asked.append(params),
            )
            return made

        monkeypatch.setattr(cli_connection, "_client", client)

        list(_lines(connection, MINUTE))

        start = int(MINUTE.start.timestamp())
        assert asked == [
            {
                "logGroupName": "/losi/prod/chat-completions",
                "startTime": start * 1000,
                "endTime": (start + 60 + 16 * 60) * 1000,
                "filterPattern": _pattern(MINUTE),
            }
        ]

    def test_it_reads_no_others(self, connection: Connection) -> None:
        wanted = Wanted(NOW - timedelta(minutes=1), NOW + timedelta(minutes=1), "acct_other")

        assert list(_lines(connection, wanted)) == []
