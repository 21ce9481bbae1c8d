"""/api/v1/api-keys as a client sees it: the whole app, over ASGI, on a table in this process."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from losi.identity.secret import Secret, parse
from losi.management.accounts import Accounts

if TYPE_CHECKING:
    pass
from tests.contract.web.api_keys_world import BODY, FIELDS, MASKED, ROTATE, TIME, Api, in_days


class TestCreate:
    async def test_the_key_is_shown_once_in_the_documented_form(self, api: Api) -> None:
        expires = in_days(30)
        response = await api("POST", json={**BODY, "expires_at": expires})

        assert response.status_code == 200
        assert list(response.json()) == ["data"]
        data = response.json()["data"]
        assert list(data) == FIELDS
        assert data["id"].startswith("key_")
        assert parse(data["key"])
        assert data["name"] == "My New API Key"
        assert TIME.fullmatch(data["created_at"])
        assert data["last_used_at"] is None
        assert data["permissions"] == ["chat.completions", "models.list"]
        assert data["expires_at"] == expires
        assert data["is_enabled"] is True

    async def test_the_new_key_works_at_once_and_only_for_what_it_may(self, api: Api) -> None:
        created = api.using((await api.create())["key"])

        assert (await created("GET", "/api/v1/models")).status_code == 200
        error = await created.refused("GET")
        assert (error["status"], error["code"]) == (403, "missing_permission")
        assert "'api_keys.read'" in error["message"]

    async def test_a_test_key_says_so(self, api: Api) -> None:
        data = await api.create(test=True)

        assert data["key"].startswith("losi-test-")
        assert data["test"] is True

    async def test_permissions_given_twice_count_once(self, api: Api) -> None:
        data = await api.create(permissions=["usage.read", "models.list", "usage.read"])

        assert data["permissions"] == ["models.list", "usage.read"]

    @pytest.mark.parametrize(
        ("body", "param", "says"),
        [
            ({"name": ...}, "name", "Missing required"),
            ({"name": ""}, "name", "empty"),
            ({"name": 7}, "name", "string"),
            ({"name": None}, "name", "string"),
            ({"name": "x" * 1_000_000}, "name", "1000000 characters"),
            ({"name": "a\x00b"}, "name", "control character"),
            ({"name": "a\nb"}, "name", "control character"),
            ({"permissions": ...}, "permissions", "Missing required"),
            ({"permissions": []}, "permissions", "empty"),
            ({"permissions": "chat.completions"}, "permissions", "array"),
            ({"permissions": ["models.list", "admin"]}, "permissions[1]", "'admin'"),
            ({"permissions": [["models.list"]]}, "permissions[0]", "string"),
            ({"expires_at": "soon"}, "expires_at", "ISO 8601"),
            ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at", "in the past"),
            ({"expires_at": "2030-01-01T00:00:00"}, "expires_at", "time zone"),
            ({"expires_at": "9999-12-31T23:59:59-14:00"}, "expires_at", "ISO 8601"),
            ({"expires_at": 1893456000}, "expires_at", "ISO 8601 time"),
            ({"expires_at": True}, "expires_at", "ISO 8601 time"),
            ({"test": "yes"}, "test", "true or false"),
            ({"expires": "2030-01-01T00:00:00Z"}, "expires", "Unknown parameter"),
        ],
    )
    async def test_bad_input_is_a_400_naming_the_parameter(
        self, api: Api, body: dict[str, Any], param: str, says: str
    ) -> None:
        sent = {name: value for name, value in {**BODY, **body}.items() if value is not ...}

        error = await api.refused("POST", json=sent)

        assert (error["status"], error["type"]) == (400, "invalid_request_error")
        assert error["param"] == param
        assert says in error["message"]
        assert len(error["message"]) < 500
        assert len(await api.list()) == 1

    @pytest.mark.parametrize("body", [[], "text", 7, None, [BODY]])
    async def test_a_body_that_is_no_object_is_a_400(self, api: Api, body: Any) -> None:
        assert (await api.refused("POST", json=body))["status"] == 400

    async def test_the_plan_s_number_of_keys_is_kept(
        self, api: Api, accounts: Accounts, account_id: str
    ) -> None:
        accounts.set_plan(account_id, "free")

        error = await api.refused("POST", json=BODY)

        assert (error["status"], error["type"]) == (403, "permission_error")
        assert error["code"] == "key_limit_reached"
        assert "free plan allows 1 API key" in error["message"]
        assert "the plus plan allows 2" in error["message"]


class TestList:
    async def test_keys_are_listed_masked_in_the_documented_form(
        self, api: Api, secret: Secret
    ) -> None:
        created = await api.create()

        response = await api("GET")

        assert response.status_code == 200
        assert list(response.json()) == ["data"]
        listed = {key["id"]: key for key in response.json()["data"]}
        assert set(listed) == {f"key_{secret.key_id}", created["id"]}
        assert listed[created["id"]] == {**created, "key": MASKED}

    async def test_the_key_in_use_was_used_this_minute(self, api: Api) -> None:
        [listed] = await api.list()

        assert TIME.fullmatch(listed["last_used_at"])
        assert listed["last_used_at"] >= listed["created_at"]
        used = datetime.fromisoformat(listed["last_used_at"])
        assert timedelta(0) <= datetime.now(UTC) - used < timedelta(minutes=2)

    async def test_one_is_shown_by_its_id(self, api: Api) -> None:
        created = await api.create()

        response = await api("GET", id=created["id"])

        assert response.json() == {"data": {**created, "key": MASKED}}


class TestChange:
    async def test_what_is_sent_changes_and_the_rest_stays(self, api: Api) -> None:
        created = await api.create(expires_at=in_days(30))

        response = await api("PATCH", json={"name": "renamed"}, id=created["id"])

        assert response.status_code == 200
        expected = {**created, "key": MASKED, "name": "renamed"}
        assert response.json() == {"data": expected}
        assert (await api("GET", id=created["id"])).json() == {"data": expected}

    async def test_everything_can_change_at_once(self, api: Api) -> None:
        created = await api.create()
        changes = {
            "name": "new name",
            "permissions": ["usage.read"],
            "is_enabled": False,
            "expires_at": in_days(3),
        }

        response = await api("PATCH", json=changes, id=created["id"])

        assert response.json() == {"data": {**created, "key": MASKED, **changes}}

    async def test_null_takes_the_expiry_away(self, api: Api) -> None:
        created = await api.create(expires_at=in_days(30))

        response = await api("PATCH", json={"expires_at": None}, id=created["id"])

        assert response.json()["data"]["expires_at"] is None

    async def test_a_disabled_key_stops_and_an_enabled_one_works_again(self, api: Api) -> None:
        created = await api.create()
        user = api.using(created["key"])

        await api("PATCH", json={"is_enabled": False}, id=created["id"])
        error = await user.refused("GET", "/api/v1/models")
        assert (error["status"], error["code"]) == (401, "key_disabled")

        await api("PATCH", json={"is_enabled": True}, id=created["id"])
        assert (await user("GET", "/api/v1/models")).status_code == 200

    async def test_a_key_may_disable_itself(self, api: Api, secret: Secret) -> None:
        await api("PATCH", json={"is_enabled": False}, id=f"key_{secret.key_id}")

        assert (await api.refused("GET"))["code"] == "key_disabled"

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({}, None),
            ({"name": None}, "name"),
            ({"name": " "}, "name"),
            ({"permissions": None}, "permissions"),
            ({"permissions": []}, "permissions"),
            ({"permissions": ["root"]}, "permissions[0]"),
            ({"is_enabled": "no"}, "is_enabled"),
            ({"is_enabled": None}, "is_enabled"),
            ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
            ({"key": MASKED}, "key"),
            ({"test": True}, "test"),
        ],
    )
    async def test_bad_input_is_a_400_and_changes_nothing(
        self, api: Api, body: dict[str, Any], param: str | None
    ) -> None:
        created = await api.create()

        error = await api.refused("PATCH", json=body, id=created["id"])

        assert (error["status"], error["param"]) == (400, param)
        shown = (await api("GET", id=created["id"])).json()["data"]
        assert shown == {**created, "key": MASKED}


class TestRotate:
    async def test_the_new_secret_is_shown_once_and_the_old_one_lasts_a_day(self, api: Api) -> None:
        created = await api.create()

        response = await api("POST", ROTATE, json={}, id=created["id"])

        assert response.status_code == 200
        data = response.json()["data"]
        assert list(data) == [*FIELDS, "old_key_expires_at"]
        assert data["id"] == created["id"]
        assert parse(data["key"])
        assert data["key"] != created["key"]
        ends = datetime.fromisoformat(data["old_key_expires_at"])
        assert timedelta(hours=23) < ends - datetime.now(UTC) <= timedelta(hours=24)
        for text in (created["key"], data["key"]):
            assert (await api.using(text)("GET", "/api/v1/models")).status_code == 200

    async def test_the_old_secret_can_end_at_once(self, api: Api) -> None:
        created = await api.create()

        await api("POST", ROTATE, json={"expires_in_seconds": 0}, id=created["id"])

        error = await api.using(created["key"]).refused("GET", "/api/v1/models")
        assert (error["status"], error["code"]) == (401, "key_expired")

    async def test_a_test_key_stays_one(self, api: Api) -> None:
        created = await api.create(test=True)

        data = (await api("POST", ROTATE, json={}, id=created["id"])).json()["data"]

        assert data["key"].startswith("losi-test-")

    @pytest.mark.parametrize("seconds", [-1, 2_592_001, 1.5, "60", None, True])
    async def test_bad_input_is_a_400(self, api: Api, seconds: Any) -> None:
        created = await api.create()

        error = await api.refused(
            "POST", ROTATE, json={"expires_in_seconds": seconds}, id=created["id"]
        )

        assert (error["status"], error["param"]) == (400, "expires_in_seconds")


class TestDelete:
    async def test_the_key_is_gone_at_once(self, api: Api) -> None:
        created = await api.create()
        user = api.using(created["key"])
        assert (await user("GET", "/api/v1/models")).status_code == 200

        response = await api("DELETE", id=created["id"])

        assert (response.status_code, response.json()) == (200, {"success": True})
        error = await user.refused("GET", "/api/v1/models")
        assert (error["status"], error["code"]) == (401, "invalid_api_key")
        assert created["id"] not in {key["id"] for key in await api.list()}

    async def test_the_second_time_it_is_not_found(self, api: Api) -> None:
        created = await api.create()
        await api("DELETE", id=created["id"])

        assert (await api.refused("DELETE", id=created["id"]))["status"] == 404

    async def test_a_key_may_delete_itself(self, api: Api, secret: Secret) -> None:
        response = await api("DELETE", id=f"key_{secret.key_id}")

        assert response.json() == {"success": True}
        assert (await api.refused("GET"))["status"] == 401
