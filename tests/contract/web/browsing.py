"""What a visitor of the console does."""

import httpx

from losi.identity.secret import Secret


async def signed_in(visitor: httpx.AsyncClient, key: Secret | None = None) -> httpx.Response:
    if key is None:
        response = await visitor.post("/api/v1/session/demo")
    else:
        response = await visitor.post("/api/v1/session", json={"api_key": key.text})
    assert response.status_code == 200, response.text
    return response


async def asked(visitor: httpx.AsyncClient) -> httpx.Response:
    """What the playground is answered."""
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
    return await visitor.post("/api/v1/chat/completions", json=body)


def code_of(response: httpx.Response) -> str:
    code: str = response.json()["error"]["code"]
    return code
