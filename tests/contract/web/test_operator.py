"""What operators see and change of other accounts, and who is none."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from losi.identity.key import NewKey
from losi.identity.principal import PERMISSIONS
from losi.management.accounts import Accounts
from losi.metering.day_item import DayUsage
from losi.metering.usage import Usage
from losi.web.dependencies import Services
from losi.web.endpoints import CONSOLE

PATHS = [(each.method, each.path) for each in CONSOLE if each.function == "operator"]


@pytest.fixture
def operator(accounts: Accounts, account_id: str) -> None:
    accounts.set_operator(account_id, True)


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_who_is_no_operator_sees_no_account(
    browser: httpx.AsyncClient, accounts: Accounts, account_id: str, method: str, path: str
) -> None:
    other = f"acct_{accounts.create_account('free').id}"

    as_owner = await browser.request(method, path, params={"id": other})
    accounts.set_operator(account_id, True)
    key = accounts.create_key(account_id, NewKey("all", frozenset(PERMISSIONS)))[1]
    with_key = await browser.request(
        method, path, params={"id": other}, headers={"Authorization": f"Bearer {key.text}"}
    )
    await browser.post("/api/v1/session", json={"api_key": key.text})
    by_key = await browser.request(method, path, params={"id": other})

    assert as_owner.json()["error"]["code"] == "operator_required"
    assert with_key.json()["error"]["code"] == "session_expired"
    assert by_key.json()["error"]["code"] == "owner_required"


async def test_accounts_are_found_by_id_address_and_name(
    browser: httpx.AsyncClient, accounts: Accounts, operator: None
) -> None:
    ada = accounts.create_account("pro", name="Ada Lovelace")
    accounts.create_account("free", name="Bob")

    for words in ("lovelace", "LOVE", f"acct_{ada.id}"):
        data = (await browser.get("/api/v1/operator/accounts", params={"q": words})).json()["data"]
        assert [each["id"] for each in data["accounts"]] == [f"acct_{ada.id}"]
        assert data["total"] == 1 and data["next_cursor"] is None


async def test_a_mistyped_search_does_not_list_everybody(
    browser: httpx.AsyncClient, operator: None
) -> None:
    refused = await browser.get("/api/v1/operator/accounts", params={"query": "Ada"})

    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "query")


async def test_many_accounts_come_in_pages(
    browser: httpx.AsyncClient, accounts: Accounts, operator: None
) -> None:
    async def page(cursor: int) -> tuple[int, int, int | None]:
        answer = await browser.get("/api/v1/operator/accounts", params={"cursor": cursor})
        data = answer.json()["data"]
        return len(data["accounts"]), data["total"], data["next_cursor"]

    for _ in range(49):
        accounts.create_account("free")
    assert await page(0) == (50, 50, None)

    accounts.create_account("free")
    assert await page(0) == (50, 51, 50)
    assert await page(50) == (1, 51, None)


TODAY = datetime.now(UTC).date()
MONTH = [
    DayUsage(TODAY - timedelta(1), Usage(40, 50), 1, {("Key00001", "gone"): (1, Usage(40, 50))}),
    DayUsage(
        TODAY,
        Usage(311, 30),
        3,
        {
            ("Key00001", "4o"): (1, Usage(100, 10)),
            ("Key00002", "4o"): (1, Usage(200, 20)),
            ("Key00002", "4om"): (1, Usage(11, 0)),
        },
    ),
]


class Books:
    """Of an account that used the API yesterday and today; notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, date, date]] = []

    def usage(self, account_id: str, start: date, end: date) -> list[DayUsage]:
        self.asked.append((account_id, start, end))
        return MONTH


async def test_of_an_account_all_is_shown_that_helps_it(
    browser: httpx.AsyncClient, accounts: Accounts, operator: None, services: Services
) -> None:
    ada = accounts.create_account("pro", name="Ada", email="ada@example.com")
    key, _ = accounts.create_key(ada.id, NewKey("laptop", frozenset({"models.list"})))
    services.__dict__["books"] = books = Books()
    params = {"id": f"acct_{ada.id}"}

    one = (await browser.get("/api/v1/operator/account", params=params)).json()
    keys = (await browser.get("/api/v1/operator/keys", params=params)).json()
    found = (await browser.get("/api/v1/operator/accounts", params={"q": "Ada"})).json()["data"]

    [row] = found["accounts"]
    plan = services.catalogue.plans["pro"]
    assert row == {
        **accounts.account(ada.id).as_json(),
        "operator": False,
        "limits": {
            "keys": plan.keys,
            "requests_per_minute": plan.requests_per_minute,
            "tokens_per_minute": plan.tokens_per_minute,
            "tokens_per_day": plan.tokens_per_day,
            "in_flight": plan.in_flight,
        },
        "today": {"tokens": 341},
        # gpt-4o at 2.50 and 10, gpt-4o-mini at 0.15 dollars a million; whose model is gone is free
        "month": {"cost_usd": 0.001052},
    }
    assert one == {"data": {**row, "keys": [key.as_json()]}}
    assert keys == {"data": [key.as_json()]}
    assert books.asked == 2 * [(ada.id, TODAY.replace(day=1), TODAY)]


async def test_the_usage_of_an_account_is_shown_as_its_owner_sees_it(
    browser: httpx.AsyncClient, accounts: Accounts, operator: None, services: Services
) -> None:
    params = {"id": f"acct_{accounts.create_account('pro').id}"}
    services.__dict__["books"] = Books()

    usage = (await browser.get("/api/v1/operator/usage", params=params)).json()["data"]["usage"]
    as_csv = await browser.get(
        "/api/v1/operator/usage", params=params, headers={"Accept": "text/csv"}
    )

    assert [row["total_requests"] for row in usage] == [1, 3]
    assert as_csv.text.startswith("day,total_requests,")


@pytest.mark.parametrize("id", ["ada", "acct_0000000000"])
@pytest.mark.parametrize("path", ["account", "usage", "keys"])
async def test_an_account_that_does_not_exist(
    browser: httpx.AsyncClient, operator: None, path: str, id: str
) -> None:
    response = await browser.get(f"/api/v1/operator/{path}", params={"id": id})

    assert response.status_code == 404
    if id == "ada":
        assert response.json()["error"]["param"] == "id"


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_required_parameter", None),
        ({"disabled": 1}, "invalid_type", "disabled"),
        ({"plan": True}, "invalid_type", "plan"),
        ({"name": "Bob"}, "unknown_parameter", "name"),
        ({"plan": "gold"}, "invalid_value", "plan"),
    ],
)
async def test_a_change_that_is_none_is_refused(
    browser: httpx.AsyncClient,
    accounts: Accounts,
    operator: None,
    body: dict[str, object],
    code: str,
    param: str | None,
) -> None:
    params = {"id": f"acct_{accounts.create_account('free').id}"}

    refused = await browser.patch("/api/v1/operator/account", params=params, json=body)

    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["param"]) == (400, code, param)


async def test_a_plan_is_changed_and_an_account_disabled_with_its_sessions(
    browser: httpx.AsyncClient, accounts: Accounts, operator: None, services: Services
) -> None:
    other = accounts.create_account("free", name="Bob")
    services.sessions.open(other.id, "a laptop")
    params = {"id": f"acct_{other.id}"}

    async def change(**json: object) -> httpx.Response:
        return await browser.patch("/api/v1/operator/account", params=params, json=json)

    assert (await change(plan="pro")).json()["data"]["plan"] == "pro"
    assert (await change(plan="gold")).status_code == 400
    assert (await change(disabled=True)).json()["data"]["disabled"] is True
    assert services.sessions.of_account(other.id) == []
    services.sessions.open(other.id, "a laptop")
    assert (await change(disabled=False)).json()["data"]["disabled"] is False
    assert len(services.sessions.of_account(other.id)) == 1
    records = accounts.audit_log(other.id, 10)
    assert {record.actor for record in records if record.action != "account.created"} == {
        records[0].actor
    }
    assert records[0].actor.startswith("sess_")


async def test_operators_do_not_lock_themselves_out(
    browser: httpx.AsyncClient, account_id: str, operator: None
) -> None:
    async def change(**json: object) -> httpx.Response:
        params = {"id": f"acct_{account_id}"}
        return await browser.patch("/api/v1/operator/account", params=params, json=json)

    response = await change(disabled=True)

    assert response.status_code == 403 and response.json()["error"]["code"] == "own_account"
    assert (await change(plan="free", disabled=False)).json()["data"]["plan"] == "free"


async def test_a_change_takes_a_recent_sign_in(
    browser: httpx.AsyncClient,
    accounts: Accounts,
    operator: None,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = accounts.create_account("free")
    sessions = services.sessions
    later = sessions.now() + timedelta(minutes=16)
    monkeypatch.setattr(sessions, "now", lambda: later)

    response = await browser.patch(
        "/api/v1/operator/account", params={"id": f"acct_{other.id}"}, json={"plan": "pro"}
    )

    assert response.json()["error"]["code"] == "fresh_sign_in_required"


class TestRoutes:
    @pytest.fixture
    def log(self, services: Services, tmp_path: Path) -> Path:
        """Of a local server."""
        services.config = replace(services.config, local_data=str(tmp_path))
        return tmp_path / "requests.jsonl"

    async def test_what_fails_comes_first_with_its_models(
        self, browser: httpx.AsyncClient, operator: None, services: Services, log: Path
    ) -> None:
        *_, model = (each for each in services.catalogue.models.values() if each.plans)
        route = model.routes[-1].path
        attempts = [{"route": route, "outcome": "upstream_error"}] * 3
        write_line(log, timestamp=datetime.now(UTC).isoformat(), attempts=attempts)

        data = (await browser.get("/api/v1/operator/routes")).json()["data"]

        first, *others = data["routes"]
        assert data["source"] == "log" and data["message"] is None
        assert first["route"] == route and model.id in first["models"]
        figures = {"calls": 3, "failures": 3}
        assert (first["state"], first["hour"], first["day"]) == ("failing", figures, figures)
        assert {each["state"] for each in others} == {"quiet"}

    async def test_all_routes_that_a_plan_leads_to_are_there_and_each_once(
        self, browser: httpx.AsyncClient, operator: None, services: Services, log: Path
    ) -> None:
        data = (await browser.get("/api/v1/operator/routes")).json()["data"]

        names = [each["route"] for each in data["routes"]]
        models = [model for model in services.catalogue.models.values() if model.plans]
        expected = {route.path for model in models for route in model.routes}
        assert set(names) == expected | {"sandbox/losi-sandbox"} and len(set(names)) == len(names)

    async def test_without_the_sandbox_and_what_only_retired_models_lead_to(
        self, browser: httpx.AsyncClient, operator: None, services: Services, log: Path
    ) -> None:
        catalogue = services.catalogue
        retired = {
            id: model.model_copy(update={"plans": frozenset()})
            for id, model in catalogue.models.items()
            if id != "gpt-4o"
        }
        services.__dict__["catalogue"] = replace(catalogue, models={**catalogue.models, **retired})
        services.config = replace(services.config, sandbox_fallback=False)

        data = (await browser.get("/api/v1/operator/routes")).json()["data"]

        routes = {route.path for route in catalogue.models["gpt-4o"].routes}
        assert {each["route"] for each in data["routes"]} == routes
        assert {tuple(each["models"]) for each in data["routes"]} == {("gpt-4o",)}

    async def test_without_details_it_says_which_parameter_counts_by_route(
        self, browser: httpx.AsyncClient, operator: None, services: Services
    ) -> None:
        services.config = replace(services.config, metrics_namespace="losi/prod")

        answer = (await browser.get("/api/v1/operator/routes")).json()

        message = answer["data"].pop("message")
        assert answer == {"data": {"source": None, "routes": []}}
        assert "Metrics=details" in message

    async def test_a_cloudwatch_that_refuses_is_said(
        self,
        browser: httpx.AsyncClient,
        operator: None,
        services: Services,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("losi.observe.routes.cloudwatch", refusing_cloudwatch)
        services.config = replace(
            services.config, metrics_namespace="losi/prod", metrics_details=True
        )

        response = await browser.get("/api/v1/operator/routes")

        assert response.status_code == 503
        assert response.json()["error"]["code"] == "metrics_unavailable"
        assert "AccessDenied" in response.json()["error"]["message"]


def write_line(log: Path, **line: object) -> None:
    log.write_text(json.dumps(line) + "\n")


def refusing_cloudwatch() -> Any:
    """boto3's own client, answered as IAM answers who may not.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CommonErrors.html
    """
    made: Any = boto3.client(
        "cloudwatch", "eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    refusal = {"Error": {"Code": "AccessDenied", "Message": "User is not authorized."}}
    made.meta.events.register(
        "before-call.cloudwatch.GetMetricData", lambda **_: (Forbidden(), refusal)
    )
    return made


class Forbidden:
    status_code = 403
