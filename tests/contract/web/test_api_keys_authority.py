"""Which keys a key may touch, what it may give, and that no secret is ever shown again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from losi.identity.key import NewKey
from losi.identity.secret import Secret, parse
from losi.logs import set_levels
from losi.management.accounts import Accounts
from tests.dynamodb_client import TABLE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
from tests.contract.web.api_keys_world import ALL, BODY, PATH, ROTATE, Api, in_days

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
        self, api: Api, secret: Secret, method: str, path: str, permission: str
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
        self, weak: Api, secret: Secret
    ) -> None:
        id = f"key_{secret.key_id}"

        for change in ({"name": "x"}, {"permissions": ["models.list"]}, {"is_enabled": False}):
            assert (await weak.refused("PATCH", json=change, id=id))["status"] == 403

    async def test_it_does_not_get_a_stronger_key_by_rotation(
        self, api: Api, weak: Api, secret: Secret
    ) -> None:
        error = await weak.refused("POST", ROTATE, json={}, id=f"key_{secret.key_id}")

        assert error["status"] == 403
        assert (await api("GET")).status_code == 200

    async def test_it_may_not_delete_a_stronger_key(
        self, api: Api, weak: Api, secret: Secret
    ) -> None:
        error = await weak.refused("DELETE", id=f"key_{secret.key_id}")

        assert (error["status"], error["code"]) == (403, "missing_permission")
        assert "the operator of this service" in error["message"]
        assert (await api("GET")).status_code == 200

    async def test_it_may_delete_itself_and_a_weaker_one(self, weak: Api, api: Api) -> None:
        lesser = await weak.create(permissions=["models.list"])

        assert (await weak("DELETE", id=lesser["id"])).status_code == 200
        assert (await weak("DELETE", id=await self.weak_id(api))).status_code == 200

    async def test_a_key_that_expires_gives_nothing_that_lasts_longer(
        self, api: Api, secret: Secret
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

    async def test_a_test_key_deals_with_test_keys_only(self, api: Api, secret: Secret) -> None:
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
        set_levels("DEBUG")  # as a deployed function would
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
            key = parse(text)
            assert key is not None
            assert key.secret not in everything
            assert key.hash not in caplog.text, "as boto3 would log it at DEBUG"
        assert created["id"] in everything
