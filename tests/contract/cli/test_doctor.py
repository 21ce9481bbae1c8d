"""`losi doctor`, against an upstream that refuses what vendors refuse."""

from __future__ import annotations

import asyncio
import json
import threading
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest

from losi.catalogue import loader
from losi.catalogue.loader import SHIPPED
from losi.catalogue.row import Combination
from tests.contract.cli.command_line import losi
from tests.strict_upstream import StrictUpstream


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[StrictUpstream]:
    """It runs in a thread: each command has an event loop of its own."""
    loop, strict = asyncio.new_event_loop(), StrictUpstream()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(strict.__aenter__(), loop).result()
    for variable in ("LOSI_OPENAI_API_KEY", "LOSI_ANTHROPIC_API_KEY", "LOSI_BEDROCK_REGION"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("LOSI_OPENAI_BASE_URL", f"{strict.url}/v1")
    monkeypatch.setenv("LOSI_ANTHROPIC_BASE_URL", strict.url)
    yield strict
    asyncio.run_coroutine_threadsafe(strict.__aexit__(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, upstream: StrictUpstream
) -> Iterator[Path]:
    """The operator's folder over the shipped one, with keys for OpenAI and Anthropic."""
    folder = tmp_path / "config"
    folder.mkdir()
    monkeypatch.setattr(loader, "FOLDERS", (SHIPPED, folder))
    monkeypatch.setenv("LOSI_OPENAI_API_KEY", "k")
    monkeypatch.setenv("LOSI_ANTHROPIC_API_KEY", "k")
    yield folder


MINE = """
[[models]]
id = "mine"
code = "x1"
description = "Mine"
owned_by = "me"
created = 1
features = ["tools", "vision", "structured_output", "reasoning"]
plans = ["pro"]
context_window = 100_000
max_output_tokens = 4_096
prices = {{ input = 1.0, output = 2.0 }}
routes = [{{ {route} }}]
"""


def examine(config: Path, route: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and what is said of the only route."""
    (config / "models.toml").write_text(MINE.format(route=route))
    result = losi("doctor", "--yes", "--json", "--model", "mine")
    [found] = json.loads(result.stdout)
    return result.exit_code, found


OPENAI, RESPONSES, CLAUDE = (
    'provider = "openai", model = ',
    'provider = "openai-responses", model = ',
    'provider = "anthropic", model = ',
)
NO_SAMPLING = (
    'unsupported_parameters = ["frequency_penalty", "logprobs", "seed", "stop", "temperature", '
    '"top_p"]'
)
WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "a forced tool": (
        f'{CLAUDE}"claude-sonnet-5-5", {NO_SAMPLING}',
        {"refuses": ["forced_tools"]},
    ),
    "tools while it reasons, and efforts that it does not know": (
        f'{OPENAI}"gpt-6-luna", {NO_SAMPLING}, '
        'default_parameters = { reasoning_effort = "none" }',
        {
            "refuses": ["tools_with_reasoning"],
            "efforts": ["none", "low", "medium", "high", "xhigh"],
        },
    ),
    "an effort that it is said to take": (
        f'{RESPONSES}"gpt-6.1-sol", {NO_SAMPLING}, efforts = ["none", "low", "medium"]',
        {"efforts": ["low", "medium"]},
    ),
    "a combination that it takes by now": (
        f'{CLAUDE}"claude-sonnet-4-6", {NO_SAMPLING}, refuses = ["forced_tools"], '
        'efforts = ["none", "low", "medium", "high", "max"]',
        {"refuses": []},
    ),
    "the day of its shutdown": (
        f'{OPENAI}"gpt-4o", unsupported_parameters = ["reasoning_effort"]',
        {"shutdown_date": "2027-01-14"},
    ),
    "sampling": (
        f'{RESPONSES}"gpt-6.1-sol", efforts = ["low", "medium", "high", "xhigh", "max"]',
        {"unsupported_parameters": ["logprobs", "temperature", "top_p"]},
    ),
}


@pytest.mark.parametrize(("route", "expected"), WRONG.values(), ids=WRONG.keys())
def test_where_the_catalogue_is_wrong_it_says_what_to_write(
    config: Path, route: str, expected: dict[str, Any]
) -> None:
    code, found = examine(config, route)

    assert found["failures"] == []
    assert found["write"] == expected
    assert code == 1


def test_of_each_probe_it_says_what_the_catalogue_and_the_upstream_say(config: Path) -> None:
    route, _ = WRONG["a forced tool"]

    _, found = examine(config, route)

    rows = {row["what"]: row for row in found.pop("probes")}
    assert found == {
        "model": "mine",
        "provider": "anthropic",
        "upstream_model": "claude-sonnet-5-5",
        "failures": [],
        "write": {"refuses": ["forced_tools"]},
    }
    said = {"what": "answers", "catalogue": "takes", "upstream": "takes"}
    assert rows["answers"] == {**said, "words": None, "wrong": False}
    forced = rows["forced_tools"]
    assert forced.pop("words")
    said = {"what": "forced_tools", "catalogue": "takes", "upstream": "refuses"}
    assert forced == {**said, "wrong": True}
    assert rows["temperature"]["catalogue"] == "refuses" and not rows["temperature"]["wrong"]


def test_as_a_table_with_what_to_write_below(config: Path) -> None:
    route, _ = WRONG["a forced tool"]
    (config / "models.toml").write_text(MINE.format(route=route))

    result = losi("doctor", "--yes", "--model", "mine")

    table, _, write = result.stdout.partition("\n\n")
    head, _, first, *_ = (" ".join(line.split()) for line in table.splitlines())
    assert head == "Route What Catalogue Upstream"
    assert first.startswith("anthropic/") and "takes" in first
    assert "wrong" in table
    assert write.splitlines()[-1] == 'refuses = ["forced_tools"]'
    assert "The catalogue is right" not in result.stdout
    assert result.exit_code == 1


GROQ = """
[mine]
name = "Mine"
format = "openai"
base_url = "{url}/groq/openai/v1"
key_variable = "LOSI_OPENAI_API_KEY"
own_fields_only = true
message_fields = ["reasoning"]
refused_message_fields = ["audio", "name", "refusal"]
"""


def test_every_combination_that_a_catalogue_can_refuse_is_probed(
    config: Path, upstream: StrictUpstream
) -> None:
    """Groq's endpoint takes schemas neither beside tools nor in streams: C5."""
    (config / "providers.toml").write_text(GROQ.format(url=upstream.url))

    code, found = examine(config, 'provider = "mine", model = "openai/gpt-oss-120b"')

    assert {"schema_in_streams", "schema_with_tools"} <= {*found["write"]["refuses"]}
    assert code == 1
    assert {row["what"] for row in found["probes"]} >= {*get_args(Combination)}


def test_the_shipped_catalogue_is_right_wherever_it_leads(
    config: Path, upstream: StrictUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOSI_BEDROCK_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", upstream.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "k")

    result = losi("doctor", "--yes", "--json")

    found = json.loads(result.stdout)
    assert {one["provider"] for one in found} == {
        "openai",
        "openai-responses",
        "anthropic",
        "bedrock",
    }
    assert [one for one in found if one["failures"]] == []
    assert {f"{one['provider']}/{one['upstream_model']}": one["write"] for one in found} == {
        f"{one['provider']}/{one['upstream_model']}": {} for one in found
    }
    assert result.exit_code == 0


def test_what_it_costs_is_said_before_it_costs(config: Path, upstream: StrictUpstream) -> None:
    result = losi("doctor", "--model", "gpt-4o", input="n\n")

    assert result.exit_code == 1
    assert "calls to 3 routes, for at most 0." in result.stderr
    assert "Make them? [y/N]:" in result.stderr
    assert upstream.requests == []


def test_no_more_calls_are_made_than_were_said(config: Path, upstream: StrictUpstream) -> None:
    result = losi("doctor", "--model", "gpt-4o", input="y\n")

    said = int(result.stderr.split(" calls")[0].split()[-1])
    assert 20 < len(upstream.requests) <= said
    assert "The catalogue is right in everything that was tested." in result.stdout


def test_what_it_prints_can_be_written_into_the_file(config: Path) -> None:
    route = f'{OPENAI}"gpt-4o", unsupported_parameters = ["reasoning_effort"]'
    (config / "models.toml").write_text(MINE.format(route=route))

    printed = losi("doctor", "--yes", "--model", "mine").stdout

    printed = printed[printed.index("# config/models.toml") :]
    assert tomllib.loads(printed) == {"shutdown_date": date(2027, 1, 14)}
    code, found = examine(config, f"{route}, {printed.splitlines()[-1]}")
    assert (code, found["write"]) == (0, {})


def test_an_upstream_that_fails_is_not_judged(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOSI_OPENAI_BASE_URL", "http://127.0.0.1:9")

    code, found = examine(config, f'{OPENAI}"gpt-4o"')

    assert [row["upstream"] for row in found["probes"]] == ["fails"]
    assert len(found["failures"]) == 1 and found["write"] == {}
    assert code == 0


def test_without_credentials_it_says_what_to_set(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOSI_OPENAI_API_KEY")
    monkeypatch.delenv("LOSI_ANTHROPIC_API_KEY")

    result = losi("doctor", "--yes")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: no route has credentials here.")
    assert "LOSI_OPENAI_API_KEY" in result.stderr


def test_a_catalogue_with_a_mistake_is_not_examined(config: Path) -> None:
    (config / "plans.toml").write_text("keys = 1\n")

    result = losi("doctor", "--yes")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("config/plans.toml: 'keys' must be a table.")
