"""What one key may ask for beside admitted requests, which the ledger counts."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from losi.identity.key import NewKey
from losi.identity.secret import Secret
from losi.management.accounts import Accounts
from losi.web.dependencies import Services
from tests.contract.web.api_keys_world import ALL, Api

CHAT = "/api/v1/chat/completions"
EMBEDDINGS = "/api/v1/embeddings"
#: One of each kind of refusal: the body's form, its fields, and the model, which the plan decides.
REFUSED: list[tuple[str, Any]] = [
    (CHAT, [0]),
    (CHAT, {"model": "losi-omega", "messages": [0]}),
    (CHAT, {"model": "nobody-s", "messages": [{"role": "user", "content": "Hi"}]}),
    (CHAT, {"model": "nobody-s", "messages": [{"role": "user", "content": "Hi"}], "stream": True}),
    (EMBEDDINGS, [0]),
    (EMBEDDINGS, {"model": "text-embedding-3-small", "input": [[]]}),
    (EMBEDDINGS, {"model": "nobody-s", "input": "Hi"}),
]


@pytest.fixture
def still(services: Services) -> None:
    """Nothing flows back while a test runs, however slow the machine is."""
    services.refusal_throttle._clock = lambda: 0.0
    services.management_throttle._clock = lambda: 0.0


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize(("path", "body"), REFUSED)
async def test_refused_bodies_end_in_429(api: Api, path: str, body: Any) -> None:
    statuses = [(await api("POST", path, json=body)).status_code for _ in range(62)]

    assert set(statuses[:60]) <= {400, 404}
    assert statuses[60:] == [429, 429]


@pytest.mark.usefixtures("still")
async def test_a_throttled_caller_costs_the_store_nothing(api: Api, services: Services) -> None:
    for _ in range(60):
        await api("POST", CHAT, json=[0])
    reads: list[str] = []
    services.client.meta.events.register(
        "before-call.dynamodb", lambda model, **_: reads.append(model.name)
    )

    response = await api("POST", CHAT, json=[0])

    assert (response.status_code, reads) == (429, [])
    assert response.headers["retry-after"]


@pytest.mark.usefixtures("still")
async def test_another_key_of_the_account_goes_on(
    api: Api, accounts: Accounts, account_id: str
) -> None:
    _, other = accounts.create_key(account_id, NewKey("other", ALL))
    for _ in range(61):
        await api("POST", CHAT, json=[0])

    good = {"model": "losi-omega", "messages": [{"role": "user", "content": "Hi"}]}
    response = await api.using(other)("POST", CHAT, json=good)

    assert response.status_code == 200


@pytest.mark.usefixtures("still")
async def test_good_requests_are_no_refusals(api: Api) -> None:
    good = {"model": "text-embedding-3-small", "input": "Hi"}

    statuses = {(await api("POST", EMBEDDINGS, json=good)).status_code for _ in range(70)}

    assert statuses == {200}


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("path", ["/api/v1/models", "/api/v1/api-keys", "/api/v1/api-usage"])
async def test_reads_of_management_end_in_429(api: Api, path: str) -> None:
    statuses = [(await api("GET", path)).status_code for _ in range(62)]

    assert statuses == [200] * 60 + [429] * 2


async def test_a_key_that_is_refused_takes_nothing_of_a_good_one_s(
    api: Api, http: httpx.AsyncClient, secret: Secret
) -> None:
    forged = secret.text[:-7] + "0000000"
    for _ in range(100):
        response = await http.get("/api/v1/models", headers={"Authorization": f"Bearer {forged}"})
        assert response.status_code == 401

    assert (await api("GET", "/api/v1/models")).status_code == 200
