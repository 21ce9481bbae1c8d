"""What tests of /api/v1/api-keys need around them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx

from losi.identity.principal import PERMISSIONS
from losi.identity.secret import Secret

if TYPE_CHECKING:
    pass

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
    "created_by",
]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Api:
    """Calls the API with one key."""

    def __init__(self, http: httpx.AsyncClient, secret: Secret | str) -> None:
        self._http = http
        self._text = secret if isinstance(secret, str) else secret.text

    async def __call__(
        self, method: str, path: str = PATH, json: Any = None, **params: Any
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._text}"}
        return await self._http.request(method, path, json=json, params=params, headers=headers)

    def using(self, secret: Secret | str) -> Api:
        return Api(self._http, secret)

    async def create(self, **body: Any) -> dict[str, Any]:
        response = await self("POST", json={**BODY, **body})
        assert response.status_code == 200, response.text
        data: dict[str, Any] = response.json()["data"]
        return data

    async def list(self) -> list[dict[str, Any]]:
        data: list[dict[str, Any]] = (await self("GET")).json()["data"]
        return data

    async def refused(self, method: str, path: str = PATH, json: Any = None, **params: Any) -> Any:
        response = await self(method, path, json, **params)
        assert response.status_code >= 400, response.text
        error = response.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return {"status": response.status_code, **error}


def in_days(days: float) -> str:
    time = datetime.now(UTC).replace(microsecond=0) + timedelta(days)
    return time.isoformat().replace("+00:00", "Z")
