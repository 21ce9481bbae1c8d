"""GET /api/v1/models and /models/{id}: what the plan has, in OpenAI's form."""

from __future__ import annotations

import pytest

from losi.identity.key import NewKey
from losi.management.accounts import Accounts
from tests.catalogue import CATALOGUE
from tests.contract.web.api_keys_world import ALL, Api

PATH = "/api/v1/models"


@pytest.fixture
def free(api: Api, accounts: Accounts) -> Api:
    """An account with the smallest plan."""
    account = accounts.create_account("free")
    return api.using(accounts.create_key(account.id, NewKey("key", ALL))[1])


async def test_the_list_has_the_models_of_the_plan(api: Api, free: Api) -> None:
    answer = (await api("GET", PATH)).json()
    of_free = (await free("GET", PATH)).json()

    assert answer["object"] == "list"
    for listed, plan in ((answer, "ultra"), (of_free, "free")):
        expected = [model.id for model in CATALOGUE.of_plan(CATALOGUE.plans[plan])]
        assert [model["id"] for model in listed["data"]] == expected
    assert len(of_free["data"]) < len(answer["data"])


async def test_one_is_as_in_the_list(api: Api) -> None:
    [listed] = [m for m in (await api("GET", PATH)).json()["data"] if m["id"] == "gpt-4o"]

    answer = await api("GET", f"{PATH}/gpt-4o")

    assert answer.status_code == 200
    assert answer.json() == listed
    assert listed["object"] == "model" and listed["owned_by"]


async def test_a_slash_after_the_list_is_told_the_right_url(api: Api) -> None:
    error = await api.refused("GET", f"{PATH}/")

    assert (error["status"], error["code"]) == (404, "unknown_url")
    assert f"Did you mean {PATH}?" in error["message"]


async def test_one_that_is_not_there_and_one_of_a_larger_plan(api: Api, free: Api) -> None:
    unknown = await api.refused("GET", f"{PATH}/gpt-9")
    larger = await free.refused("GET", f"{PATH}/gpt-4o")

    assert (unknown["status"], unknown["code"]) == (404, "model_not_found")
    assert (larger["status"], larger["code"]) == (403, "model_not_in_plan")
