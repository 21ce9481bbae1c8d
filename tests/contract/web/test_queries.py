"""Query parameters: none is ignored, where ignoring one would answer another question."""

from __future__ import annotations

from typing import Any

import pytest

from losi.web.endpoints import ENDPOINTS, Endpoint
from tests.contract.web.api_keys_world import Api

#: These ignore unknown parameters: clients of other APIs send their own, such as `client_version`,
#: and monitors and browsers send any.
LENIENT = {"chat_completions", "embeddings", "models", "health", "openapi"}
MANAGEMENT = [each for each in ENDPOINTS if each.function not in LENIENT]
USAGE = "/api/v1/api-usage"


@pytest.mark.parametrize("endpoint", MANAGEMENT, ids=lambda endpoint: endpoint.name)
class TestEveryManagementEndpoint:
    async def test_an_unknown_parameter_is_refused_by_name(
        self, api: Api, endpoint: Endpoint
    ) -> None:
        error = await self.refused(api, endpoint, {"id": "key_00000000", "colour": "red"})

        assert (error["status"], error["code"]) == (400, "unknown_parameter")
        assert error["param"] in ("colour", "id"), "where no id belongs it is refused as well"

    async def test_a_repeated_parameter_is_refused_by_name(
        self, api: Api, endpoint: Endpoint
    ) -> None:
        error = await self.refused(api, endpoint, {"id": ["key_00000000", "key_00000001"]})

        assert (error["status"], error["param"]) == (400, "id")
        assert "more than once. Send it once." in error["message"]

    @staticmethod
    async def refused(api: Api, endpoint: Endpoint, params: dict[str, Any]) -> Any:
        body: dict[str, Any] | None = None if endpoint.method in ("GET", "DELETE") else {}
        return await api.refused(endpoint.method, endpoint.path, body, **params)


@pytest.mark.parametrize(
    ("sent", "meant"),
    [("start_dat", "start_date"), ("end-date", "end_date"), ("groupby", "group_by")],
)
async def test_a_mistyped_parameter_is_answered_with_the_right_one(
    api: Api, sent: str, meant: str
) -> None:
    error = await api.refused("GET", USAGE, **{sent: "2026-06-01"})

    assert error["message"] == f"Unknown parameter: '{sent}'. Did you mean '{meant}'?"


async def test_one_like_no_other_is_to_be_removed(api: Api) -> None:
    error = await api.refused("GET", USAGE, q="x")

    assert error["message"] == "Unknown parameter: 'q'. Remove it."


async def test_the_name_of_an_unknown_parameter_is_cut(api: Api) -> None:
    error = await api.refused("GET", USAGE, **{"x" * 10_000: "1"})

    assert len(error["message"]) < 200


async def test_an_unknown_group_is_refused(api: Api) -> None:
    error = await api.refused("GET", USAGE, group_by="day")

    assert (error["status"], error["param"], error["code"]) == (400, "group_by", "invalid_value")


class TestRangeOfDays:
    async def test_too_long_a_range_without_an_end_names_the_day_it_ended_at(
        self, api: Api
    ) -> None:
        error = await api.refused("GET", USAGE, start_date="2020-01-01")

        assert (error["status"], error["param"]) == (400, "start_date")
        assert "today in UTC, as none was sent" in error["message"]
        assert "at most 400" in error["message"]

    async def test_a_first_day_to_come_is_not_to_be_swapped_with_a_day_never_sent(
        self, api: Api
    ) -> None:
        error = await api.refused("GET", USAGE, start_date="2999-01-01")

        assert "today in UTC, as none was sent" in error["message"]
        assert "Choose an earlier day." in error["message"]

    async def test_days_in_the_wrong_order_are_to_be_swapped(self, api: Api) -> None:
        error = await api.refused("GET", USAGE, start_date="2026-02-01", end_date="2026-01-01")

        assert error["message"].endswith("Swap them.")


@pytest.mark.parametrize(
    "endpoint", [each for each in ENDPOINTS if each.permission], ids=lambda endpoint: endpoint.name
)
async def test_a_key_without_the_permission_of_the_list_is_told_which(
    api: Api, endpoint: Endpoint
) -> None:
    others = {each.permission for each in ENDPOINTS if each.permission} - {endpoint.permission}
    key = await api.create(permissions=sorted(filter(None, others)))
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
    sent = None if endpoint.method in ("GET", "DELETE") else body

    path = endpoint.path.replace("{id+}", "gpt-4o")
    error = await api.using(key["key"]).refused(endpoint.method, path, sent)

    assert (error["status"], error["code"]) == (403, "missing_permission")
    assert f"'{endpoint.permission}'" in error["message"]
