"""/api/v1/api-keys as a client sees it: the whole app, over ASGI, on moto's table."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from losi import keys, store
from losi.accounts import Accounts, NewKey
from losi.principal import PERMISSIONS
from losi.web import api_keys, dependencies, models
from losi.web.app import create_app
from tests.unit.conftest import TABLE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ALL = frozenset(PERMISSIONS)
MASKED = "••••••••"
PATH = "/api/v1/api-keys"
ROTATE = f"{PATH}/rotate"
BODY = {"name": "My New API Key", "permissions": ["chat.completions", "models.list"]}
#: The specification's key object, and nothing else.
FIELDS = [
    "id",
    "key",
    "name",
    "created_at",
    "last_used_at",
    "permissions",
    "expires_at",
    "is_enabled",
]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture
def accounts(client: DynamoDBClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[Accounts]:
    """The app's own, on this test's table."""
    monkeypatch.setattr(store, "client", lambda: client)
    made = (dependencies.ledger, dependencies.accounts, dependencies.authenticator)
    for function in made:
        function.cache_clear()
    yield dependencies.accounts()
    for function in made:
        function.cache_clear()


@pytest.fixture
def account_id(accounts: Accounts) -> str:
    return accounts.create_account("ultra").id


@pytest.fixture
def secret(accounts: Accounts, account_id: str) -> keys.ApiKey:
    return accounts.create_key(account_id, NewKey("admin", ALL))[1]


class Api:
    """Calls the API with one key."""

    def __init__(self, http: httpx.AsyncClient, secret: keys.ApiKey | str) -> None:
        self._http = http
        self._text = secret if isinstance(secret, str) else secret.text

    async def __call__(
        self, method: str, path: str = PATH, json: Any = None, **params: str
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._text}"}
        return await self._http.request(method, path, json=json, params=params, headers=headers)

    def using(self, secret: keys.ApiKey | str) -> Api:
        return Api(self._http, secret)

    async def create(self, **body: Any) -> dict[str, Any]:
        response = await self("POST", json={**BODY, **body})
        assert response.status_code == 200, response.text
        data: dict[str, Any] = response.json()["data"]
        return data

    async def list(self) -> list[dict[str, Any]]:
        data: list[dict[str, Any]] = (await self("GET")).json()["data"]
        return data

    async def refused(self, method: str, path: str = PATH, json: Any = None, **params: str) -> Any:
        response = await self(method, path, json, **params)
        assert response.status_code >= 400, response.text
        error = response.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return {"status": response.status_code, **error}


@pytest.fixture
async def api(secret: keys.ApiKey) -> AsyncIterator[Api]:
    transport = httpx.ASGITransport(app=create_app(api_keys.router, models.router))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as http:
        yield Api(http, secret)


def in_days(days: float) -> str:
    time = datetime.now(UTC).replace(microsecond=0) + timedelta(days)
    return time.isoformat().replace("+00:00", "Z")


class TestCreate:
    async def test_the_key_is_shown_once_in_the_documented_form(self, api: Api) -> None:
        expires = in_days(30)
        response = await api("POST", json={**BODY, "expires_at": expires})

        assert response.status_code == 200
        assert list(response.json()) == ["data"]
        data = response.json()["data"]
        assert list(data) == FIELDS
        assert data["id"].startswith("key_")
        assert keys.parse(data["key"])
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
        self, api: Api, secret: keys.ApiKey
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

    async def test_a_key_may_disable_itself(self, api: Api, secret: keys.ApiKey) -> None:
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
        assert keys.parse(data["key"])
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

    async def test_a_key_may_delete_itself(self, api: Api, secret: keys.ApiKey) -> None:
        response = await api("DELETE", id=f"key_{secret.key_id}")

        assert response.json() == {"success": True}
        assert (await api.refused("GET"))["status"] == 401


CALLS = [
    ("GET", PATH, None),
    ("PATCH", PATH, {"name": "mine now"}),
    ("POST", ROTATE, {}),
    ("DELETE", PATH, None),
]


class TestWhichKey:
    @pytest.mark.parametrize(("method", "path", "body"), CALLS)
    async def test_another_account_s_key_looks_like_none(
        self, api: Api, accounts: Accounts, method: str, path: str, body: Any
    ) -> None:
        stranger = accounts.create_account("free")
        key, _ = accounts.create_key(stranger.id, NewKey("theirs", ALL))

        theirs = await api.refused(method, path, body, id=f"key_{key.id}")
        nobody = await api.refused(method, path, body, id="key_00000000")

        assert theirs == nobody
        assert (theirs["status"], theirs["param"], theirs["code"]) == (404, "id", "not_found")
        assert accounts.key(stranger.id, key.id).name == "theirs"

    @pytest.mark.parametrize(("method", "path", "body"), CALLS)
    @pytest.mark.parametrize(
        "id", ["", "key_", "x" * 3000, "key_ключключ", "PROFILE", "key_../..1"]
    )
    async def test_what_is_no_id_is_not_found(
        self, api: Api, method: str, path: str, body: Any, id: str
    ) -> None:
        assert (await api.refused(method, path, body, id=id))["status"] == 404

    @pytest.mark.parametrize(("method", "path", "body"), CALLS[1:])
    async def test_a_missing_id_is_a_400(self, api: Api, method: str, path: str, body: Any) -> None:
        error = await api.refused(method, path, body)

        assert (error["status"], error["param"]) == (400, "id")


class TestPermissions:
    @pytest.mark.parametrize(
        ("method", "path", "permission"),
        [
            ("GET", PATH, "api_keys.read"),
            ("POST", PATH, "api_keys.write"),
            ("PATCH", PATH, "api_keys.write"),
            ("POST", ROTATE, "api_keys.write"),
            ("DELETE", PATH, "api_keys.write"),
        ],
    )
    async def test_every_endpoint_needs_its_own(
        self, api: Api, secret: keys.ApiKey, method: str, path: str, permission: str
    ) -> None:
        weak = api.using((await api.create(permissions=sorted(ALL - {permission})))["key"])

        error = await weak.refused(method, path, BODY, id=f"key_{secret.key_id}")

        assert (error["status"], error["type"]) == (403, "permission_error")
        assert error["code"] == "missing_permission"
        assert f"'{permission}'" in error["message"]

    @pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
    async def test_without_a_key_nothing_is_read_or_done(self, api: Api, method: str) -> None:
        error = await api.using("").refused(method)

        assert (error["status"], error["type"]) == (401, "authentication_error")


class TestAuthority:
    """A key gives no more than it has."""

    @pytest.fixture
    async def weak(self, api: Api) -> Api:
        created = await api.create(name="weak", permissions=["api_keys.write", "models.list"])
        return api.using(created["key"])

    async def weak_id(self, api: Api) -> str:
        [weak] = [key for key in await api.list() if key["name"] == "weak"]
        return str(weak["id"])

    async def test_it_may_give_what_it_has(self, weak: Api) -> None:
        data = await weak.create(permissions=["models.list"])

        assert data["permissions"] == ["models.list"]

    async def test_it_may_not_create_a_key_with_more(self, weak: Api) -> None:
        error = await weak.refused("POST", json=BODY)

        assert (error["status"], error["code"]) == (403, "missing_permission")
        assert error["param"] == "permissions"
        assert "'chat.completions'" in error["message"]
        assert "'models.list'" not in error["message"]

    async def test_it_may_not_widen_itself(self, api: Api, weak: Api) -> None:
        id = await self.weak_id(api)

        error = await weak.refused("PATCH", json={"permissions": sorted(ALL)}, id=id)

        assert error["status"] == 403
        assert (await api("GET", id=id)).json()["data"]["permissions"] == [
            "models.list",
            "api_keys.write",
        ]

    async def test_it_may_narrow_itself(self, api: Api, weak: Api) -> None:
        id = await self.weak_id(api)

        response = await weak("PATCH", json={"permissions": ["models.list"]}, id=id)

        assert response.status_code == 200
        assert (await weak.refused("POST", json=BODY))["code"] == "missing_permission"

    async def test_it_may_not_change_a_stronger_key_even_to_less(
        self, weak: Api, secret: keys.ApiKey
    ) -> None:
        id = f"key_{secret.key_id}"

        for change in ({"name": "x"}, {"permissions": ["models.list"]}, {"is_enabled": False}):
            assert (await weak.refused("PATCH", json=change, id=id))["status"] == 403

    async def test_it_does_not_get_a_stronger_key_by_rotation(
        self, api: Api, weak: Api, secret: keys.ApiKey
    ) -> None:
        error = await weak.refused("POST", ROTATE, json={}, id=f"key_{secret.key_id}")

        assert error["status"] == 403
        assert (await api("GET")).status_code == 200

    async def test_it_may_delete_a_stronger_key(self, weak: Api, secret: keys.ApiKey) -> None:
        assert (await weak("DELETE", id=f"key_{secret.key_id}")).status_code == 200

    async def test_a_key_that_expires_gives_nothing_that_lasts_longer(
        self, api: Api, secret: keys.ApiKey
    ) -> None:
        permissions = sorted(ALL)
        data = await api.create(permissions=permissions, expires_at=in_days(2))
        short, id = api.using(data["key"]), data["id"]

        refusals = [
            await short.refused("POST", json=BODY),
            await short.refused("POST", json={**BODY, "expires_at": in_days(3)}),
            await short.refused("PATCH", json={"expires_at": None}, id=id),
            await short.refused("PATCH", json={"expires_at": in_days(3)}, id=id),
            await short.refused("POST", ROTATE, json={}, id=f"key_{secret.key_id}"),
        ]

        assert {(error["status"], error["code"]) for error in refusals} == {
            (403, "expires_too_late")
        }
        assert (await short.create(expires_at=in_days(1)))["key"]
        assert (await short("PATCH", json={"expires_at": in_days(1)}, id=id)).status_code == 200

    async def test_a_test_key_deals_with_test_keys_only(
        self, api: Api, secret: keys.ApiKey
    ) -> None:
        tester = api.using((await api.create(permissions=sorted(ALL), test=True))["key"])
        live = f"key_{secret.key_id}"

        refusals = [
            await tester.refused("POST", json={**BODY, "test": False}),
            await tester.refused("PATCH", json={"name": "x"}, id=live),
            await tester.refused("POST", ROTATE, json={}, id=live),
            await tester.refused("DELETE", id=live),
        ]

        assert {(error["status"], error["code"]) for error in refusals} == {
            (403, "live_key_required")
        }
        created = await tester.create()
        assert created["key"].startswith("losi-test-")
        assert (await tester("DELETE", id=created["id"])).status_code == 200
        assert (await api("GET")).status_code == 200


class TestSecrets:
    async def test_no_log_no_item_and_no_later_answer_holds_one(
        self, api: Api, client: DynamoDBClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        created = await api.create(permissions=sorted(ALL))
        id, user = created["id"], api.using(created["key"])
        rotated = (await user("POST", ROTATE, json={}, id=id)).json()["data"]

        answers = [
            await user("GET"),
            await user("GET", id=id),
            await user("PATCH", json={"name": "renamed"}, id=id),
            await user("PATCH", json={"name": ""}, id=id),
            await user("POST", json={**BODY, "permissions": ["nonsense"]}),
            await api.using(rotated["key"])("GET"),
            await api.using(rotated["key"][:-1])("GET"),
            await user("DELETE", id=id),
            await user("GET"),
        ]

        everything = "\n".join(
            [
                *(answer.text for answer in answers),
                *(repr(answer.headers) for answer in answers),
                repr([page for page in client.get_paginator("scan").paginate(TableName=TABLE)]),
                caplog.text,
                *(repr(record.__dict__) for record in caplog.records),
            ]
        )
        for text in (created["key"], rotated["key"]):
            key = keys.parse(text)
            assert key is not None
            assert key.secret not in everything
            assert key.hash not in caplog.text, "as boto3 would log it at DEBUG"
        assert created["id"] in everything
