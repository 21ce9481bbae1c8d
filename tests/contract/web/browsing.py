"""What a visitor does with sessions."""

import httpx

from losi.identity.secret import Secret


async def signed_in(visitor: httpx.AsyncClient, key: Secret | None = None) -> httpx.Response:
    if key is None:
        response = await visitor.post("/api/v1/session/demo")
    else:
        response = await visitor.post("/api/v1/session", json={"api_key": key.text})
    assert response.status_code == 200, response.text
    return response


def code_of(response: httpx.Response) -> str:
    code: str = response.json()["error"]["code"]
    return code
