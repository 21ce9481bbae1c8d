"""The line of a request: API Gateway's access log knows no key, so it names whose it was."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable

import httpx
import pytest

from losi.identity.secret import Secret
from tests.unit.web.api_keys_world import Api


async def lines(caplog: pytest.LogCaptureFixture, call: Awaitable[object]) -> list[str]:
    with caplog.at_level(logging.INFO, logger="losi.web"):
        await call
    return [record.getMessage() for record in caplog.records if record.name == "losi.web"]


@pytest.mark.parametrize(
    ("method", "path", "endpoint", "status"),
    [
        ("GET", "/api/v1/models", "list_models", 200),
        ("POST", "/api/v1/chat/completions", "create_chat_completion", 400),
        ("POST", "/api/v1/embeddings", "create_embeddings", 400),
        ("DELETE", "/api/v1/api-keys", "delete_key", 400),
    ],
)
async def test_it_names_account_and_key(
    caplog: pytest.LogCaptureFixture,
    api: Api,
    secret: Secret,
    method: str,
    path: str,
    endpoint: str,
    status: int,
) -> None:
    (line,) = await lines(caplog, api(method, path))

    assert re.fullmatch(
        rf"req_\w{{16}} {method} {endpoint} status={status} ms=\d+ "
        rf"account=acct_{secret.account_id} by=key_{secret.key_id}",
        line,
    )


async def test_of_a_stranger_it_has_the_id_alone(
    caplog: pytest.LogCaptureFixture, api: Api, secret: Secret
) -> None:
    path = f"/api/v1/models/{secret.text}"

    (line,) = await lines(caplog, api.using("losi-none")("GET", path))

    assert re.fullmatch(r"req_\w{16} GET get_model status=401 ms=\d+ account=- by=-", line)


async def test_nothing_of_the_request_s_own_words_is_in_it(
    caplog: pytest.LogCaptureFixture, http: httpx.AsyncClient
) -> None:
    (line,) = await lines(caplog, http.request("EVIL", "/evil%0d%0aline"))

    assert re.fullmatch(r"req_\w{16} - - status=404 ms=\d+ account=- by=-", line)
