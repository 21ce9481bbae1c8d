"""/api/v1/api-keys: an account manages its own keys, with one of them."""

import time
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import Request

from losi.errors import InvalidRequestError
from losi.identity.key import Key, key_id_from
from losi.identity.principal import PERMISSIONS, Principal
from losi.identity.values import iso, valid_expiry, valid_name, valid_permission
from losi.management.accounts import NewKey, no_such_key
from losi.management.authority import check_authority, check_kind
from losi.validation import validated
from losi.web.dependencies import accounts, fresh_principal
from losi.web.parsing import read_json
from losi.web.responses import JsonResponse

router = APIRouter(prefix="/api/v1")

DAY_SECONDS = 86_400
LONGEST_OVERLAP = 30 * DAY_SECONDS

Reader = Annotated[Principal, Depends(fresh_principal("api_keys.read"))]
Writer = Annotated[Principal, Depends(fresh_principal("api_keys.write"))]


def _not_empty(permissions: list[str]) -> list[str]:
    if not permissions:
        raise ValueError(
            "Invalid value for 'permissions': it is empty. "
            f"Choose one or more from: {', '.join(PERMISSIONS)}."
        )
    return permissions


def _expiry(value: Any) -> Any:
    return valid_expiry(value, time.time()) if isinstance(value, str) else value


Name = Annotated[str, AfterValidator(valid_name)]
Permissions = Annotated[
    list[Annotated[str, AfterValidator(valid_permission)]], AfterValidator(_not_empty)
]
Expiry = Annotated[AwareDatetime | None, BeforeValidator(_expiry)]


class _Body(BaseModel):
    """Unknown parameters are refused: a mistyped `expires_at` must not make an endless key."""

    model_config = ConfigDict(strict=True, extra="forbid")


class CreateKey(_Body):
    name: Name
    permissions: Permissions
    expires_at: Expiry = None
    #: By default a key of the same kind as the one in use.
    test: bool | None = None


class ChangeKey(_Body):
    """What is absent stays as it is; `expires_at: null` takes the expiry away."""

    name: Name = ""
    permissions: Permissions = []
    is_enabled: bool = True
    expires_at: Expiry = None

    def apply(self, key: Key) -> Key:
        changes: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        if "permissions" in changes:
            changes["permissions"] = frozenset(self.permissions)
        return replace(key, **changes)


class RotateKey(_Body):
    expires_in_seconds: int = Field(default=DAY_SECONDS, ge=0, le=LONGEST_OVERLAP)


def _key_id(public_id: Annotated[str, Query(alias="id")]) -> str:
    """The `id` of the query. A malformed one is not found, as another account's is not."""
    key_id = key_id_from(public_id)
    if key_id is None:
        raise no_such_key()
    return key_id


KeyId = Annotated[str, Depends(_key_id)]


@router.get("/api-keys")
def list_keys(caller: Reader, id: Annotated[str | None, Query()] = None) -> Any:
    if id is not None:
        key = accounts().key(caller.account_id, _key_id(id))
        return JsonResponse({"data": key.as_json()})
    return JsonResponse({"data": [key.as_json() for key in accounts().keys(caller.account_id)]})


@router.post("/api-keys")
async def create_key(http: Request, caller: Writer) -> Any:
    body = validated(CreateKey, await read_json(http))
    test = caller.test if body.test is None else body.test
    new = NewKey(body.name, frozenset(body.permissions), body.expires_at, test)
    check_authority(caller, new)
    key, secret = await anyio.to_thread.run_sync(accounts().create_key, caller.account_id, new)
    return JsonResponse({"data": key.as_json(secret.text)})


@router.patch("/api-keys")
async def change_key(http: Request, caller: Writer, key_id: KeyId) -> Any:
    body = validated(ChangeKey, await read_json(http))
    if not body.model_fields_set:
        raise InvalidRequestError(
            "Nothing to change. Send one or more of: " + ", ".join(ChangeKey.model_fields) + ".",
            code="missing_required_parameter",
        )

    def change(key: Key) -> Key:
        changed = body.apply(key)
        check_authority(caller, key)
        check_authority(caller, changed)
        return changed

    key = await anyio.to_thread.run_sync(accounts().change_key, caller.account_id, key_id, change)
    return JsonResponse({"data": key.as_json()})


@router.post("/api-keys/rotate")
async def rotate_key(http: Request, caller: Writer, key_id: KeyId) -> Any:
    body = validated(RotateKey, await read_json(http))
    overlap = timedelta(seconds=body.expires_in_seconds)
    rotation = await anyio.to_thread.run_sync(
        lambda: accounts().rotate_key(
            caller.account_id, key_id, overlap, lambda key: check_authority(caller, key)
        )
    )
    data = rotation.key.as_json(rotation.secret.text)
    return JsonResponse({"data": {**data, "old_key_expires_at": iso(rotation.old_ends)}})


@router.delete("/api-keys")
def delete_key(caller: Writer, key_id: KeyId) -> Any:
    accounts().delete_key(caller.account_id, key_id, lambda key: check_kind(caller, key))
    return JsonResponse({"success": True})
