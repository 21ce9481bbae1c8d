"""Providers' usage exports, as their pages document them."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from losi.metering.usage_exports import ExportError, Figures, read

DAY, NEXT = date(2024, 11, 1), date(2024, 11, 2)


def openai_bucket(start: int, *rows: dict[str, Any]) -> dict[str, Any]:
    """https://platform.openai.com/docs/api-reference/usage/completions_object"""
    given = {
        "object": "organization.usage.completions.result",
        "input_tokens": 1000,
        "output_tokens": 500,
        "input_cached_tokens": 800,
        "num_model_requests": 5,
        "project_id": None,
        "model": "gpt-4o-2024-08-06",
        "batch": None,
    }
    results = [{**given, **row} for row in rows]
    return {"object": "bucket", "start_time": start, "end_time": start + 3600, "results": results}


def page(*buckets: dict[str, Any], has_more: bool = False) -> dict[str, Any]:
    return {"object": "page", "data": list(buckets), "has_more": has_more, "next_page": None}


class TestOpenAI:
    def test_buckets_of_a_day_add_up_and_cached_tokens_are_part_of_the_input(self) -> None:
        hours = openai_bucket(1730419200, {}), openai_bucket(1730502000, {})

        reported = read("openai", json.dumps(page(*hours, openai_bucket(1730505600))))

        assert reported == {(DAY, "gpt-4o-2024-08-06"): Figures(10, 2000, 1000)}

    def test_pages_in_a_list(self) -> None:
        pages = [
            page(openai_bucket(1730419200, {}), has_more=True),
            page(openai_bucket(1730505600, {"model": "gpt-4o-mini"})),
        ]

        assert set(read("openai", json.dumps(pages))) == {
            (DAY, "gpt-4o-2024-08-06"),
            (NEXT, "gpt-4o-mini"),
        }

    def test_embeddings_have_no_output(self) -> None:
        row = {"input_tokens": 16, "num_model_requests": 2, "model": "text-embedding-3-small"}
        bucket = {"start_time": 1730419200, "results": [row]}

        reported = read("openai", json.dumps(page(bucket)))

        assert reported == {(DAY, "text-embedding-3-small"): Figures(2, 16, 0)}

    def test_an_export_need_not_say_that_it_is_the_last_page(self) -> None:
        text = json.dumps([{"data": [openai_bucket(1730419200, {})]}, {"data": []}])

        assert read("openai", f"\n  {text}") == {(DAY, "gpt-4o-2024-08-06"): Figures(5, 1000, 500)}

    @pytest.mark.parametrize("nothing", [None, "", 0])
    def test_what_was_not_used_may_be_empty(self, nothing: object) -> None:
        row = {"num_model_requests": nothing, "input_tokens": nothing, "output_tokens": nothing}

        told = read("openai", json.dumps(page(openai_bucket(0, row))))

        assert told == {(date(1970, 1, 1), "gpt-4o-2024-08-06"): Figures(0, 0, 0)}

    def test_the_csv_of_its_dashboard_has_days_without_figures(self) -> None:
        text = (
            "start_time,end_time,start_time_iso,end_time_iso,num_model_requests,model,batch,"
            "input_tokens,output_tokens,input_cached_tokens\n"
            "1730419200,1730505600,2024-11-01T00:00:00+00:00,,5,gpt-4o-2024-08-06,,1000,500,800\n"
            "1730505600,1730592000,2024-11-02T00:00:00+00:00,,,,,,,\n"
        )

        reported = read("openai", "\ufeff" + text)

        assert reported == {(DAY, "gpt-4o-2024-08-06"): Figures(5, 1000, 500)}


def test_anthropic_tells_its_input_in_parts_and_no_requests() -> None:
    """https://platform.claude.com/docs/en/api/admin/usage_report/retrieve_messages"""
    row = {
        "uncached_input_tokens": 1500,
        "cache_read_input_tokens": 200,
        "cache_creation": {"ephemeral_1h_input_tokens": 1000, "ephemeral_5m_input_tokens": 500},
        "output_tokens": 500,
        "server_tool_use": {"web_search_requests": 10},
        "model": "claude-sonnet-4-6",
    }
    bucket = {"starting_at": "2024-11-01T00:00:00Z", "ending_at": "", "results": [row, row]}

    reported = read("anthropic", json.dumps({"data": [bucket], "has_more": False}))

    assert reported == {(DAY, "claude-sonnet-4-6"): Figures(None, 6400, 1000)}


def test_anthropic_s_days_are_those_of_utc_and_what_no_cache_held_may_be_missing() -> None:
    row = {"uncached_input_tokens": 7, "output_tokens": 3, "model": "claude-sonnet-4-6"}
    in_part = {**row, "cache_creation": {"ephemeral_5m_input_tokens": None}}
    evening = {"starting_at": "2024-11-01T20:00:00-05:00", "results": [row, in_part]}

    told = read("anthropic", json.dumps({"data": [evening]}))

    assert told == {(NEXT, "claude-sonnet-4-6"): Figures(None, 14, 6)}


@pytest.mark.parametrize(
    ("ours", "theirs", "sum_"),
    [
        (Figures(1, 10, 100), Figures(2, 20, 200), Figures(3, 30, 300)),
        (Figures(0, 10, 100), Figures(0, 20, 200), Figures(0, 30, 300)),
        (Figures(1, 10, 100), Figures(None, 20, 200), Figures(None, 30, 300)),
        (Figures(None, 10, 100), Figures(2, 20, 200), Figures(None, 30, 300)),
    ],
)
def test_of_a_sum_with_unknown_requests_the_requests_are_unknown(
    ours: Figures, theirs: Figures, sum_: Figures
) -> None:
    assert ours + theirs == sum_


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no usage in it"),
        ("{}", "no usage export of openai"),
        ("[]", "has no usage in it"),
        ("null", "no usage"),
        ("a,b\n1,2\n", "no usage export of openai: start_time"),
        ("start_time\n" + "9" * 200_000, "field larger than field limit"),
        (
            json.dumps(page(openai_bucket(1730419200, {"input_tokens": "many"}))),
            r"results\.0\.input_tokens",
        ),
        (json.dumps({"data": [{"start_time": "x", "results": [{}]}]}), "no usage export"),
        (json.dumps(page(openai_bucket(10**18, {}))), "no usage export"),
        (json.dumps(page(openai_bucket(253_402_300_800, {}))), r"data\.0\.start_time"),
        (json.dumps(page(openai_bucket(-1, {}))), r"data\.0\.start_time"),
        *(
            (json.dumps(page(openai_bucket(0, {name: -1}))), rf"results\.0\.{name}")
            for name in ("num_model_requests", "input_tokens", "output_tokens")
        ),
        ("{", r"no usage export of openai: file: Invalid JSON"),
        ('{"data": [{"start_time": 0, "results": [{"model": "x"}]}]}', "num_model_requests"),
        (json.dumps(page(openai_bucket(1730419200, {"model": None}))), "grouped by model"),
        (json.dumps(page(openai_bucket(1730419200, {}), has_more=True)), "another page"),
    ],
)
def test_what_is_no_export_is_said(text: str, said: str) -> None:
    with pytest.raises(ExportError, match=said):
        read("openai", text)


def test_a_provider_whose_export_is_not_known() -> None:
    with pytest.raises(ExportError, match="openai, anthropic"):
        read("groq", "{}")
