"""/api/v1/api-keys: an account manages its own keys, with one of them."""

import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from starlette.requests import Request

from losi.errors import InvalidRequestError
from losi.identity.key import LONGEST_OVERLAP, OVERLAP, Key, NewKey, key_id_from
from losi.identity.principal import PERMISSIONS
from losi.identity.values import iso, valid_expiry, valid_name, valid_permission
from losi.management.accounts import no_such_key
from losi.management.authority import visible
from losi.validation import UntilMistake, validated
from losi.web.endpoints import Answers, Takes
from losi.web.injection import AppAccounts, Caller, changed_by
from losi.web.parsing import NoQuery, StrictQuery, read_json
from losi.web.responses import JsonResponse

if TYPE_CHECKING:
    from losi.web.schemas import KeyAnswer, KeyDeleted, KeysAnswer, RotatedKeyAnswer

#: Parameters of a body. A key has few properties, and each unknown one costs a message to refuse.
MAX_VALUES = 1_000


def _not_empty(permissions: list[str]) -> list[str]:
    if not permissions:
        raise ValueError(
            "Invalid value for 'permissions': it is empty. "
            f"Choose one or more from: {', '.join(PERMISSIONS)}."
        )
    return permissions


def _expiry(value: Any) -> Any:
    return valid_expiry(value, time.time()) if isinstance(value, str) else value


Name = Annotated[
    str,
    AfterValidator(valid_name),
    Field(
        description="1 to 100 characters, without control characters.",
        json_schema_extra={"minLength": 1, "maxLength": 100},
    ),
]
Permission = Annotated[
    str, AfterValidator(valid_permission), Field(json_schema_extra={"enum": list(PERMISSIONS)})
]
Permissions = Annotated[
    list[Permission],
    UntilMistake(),
    AfterValidator(_not_empty),
    Field(
        description="What the key may do; no more than the key in use may.",
        json_schema_extra={"minItems": 1},
    ),
]
Expiry = Annotated[
    AwareDatetime | None,
    BeforeValidator(_expiry),
    Field(description="A future time, with its time zone. Absent or null: the key never ends."),
]


class _Body(BaseModel):
    """Unknown parameters are refused: a mistyped `expires_at` must not make an endless key."""

    model_config = ConfigDict(strict=True, extra="forbid")


class CreateKey(_Body):
    name: Name
    permissions: Permissions
    expires_at: Expiry = None
    test: bool | None = Field(
        default=None, description="Whether it is a test key. By default as the key in use is."
    )


class ChangeKey(_Body):
    """What is absent stays as it is; `expires_at: null` takes the expiry away."""

    name: Name = ""
    permissions: Permissions = []
    is_enabled: bool = Field(default=True, description="False: the key is refused.")
    expires_at: Expiry = None

    def apply(self, key: Key) -> Key:
        changes: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        if "permissions" in changes:
            changes["permissions"] = frozenset(self.permissions)
        return replace(key, **changes)


class RotateKey(_Body):
    expires_in_seconds: int = Field(
        default=OVERLAP,
        ge=0,
        le=LONGEST_OVERLAP,
        description="How long the old secret stays good.",
    )


class OneKey(StrictQuery):
    id: str = Field(description="The id of the key, such as key_xyz78900.")


class OneKeyOrAll(StrictQuery):
    id: str | None = Field(default=None, description="The id of one key. Absent: all keys.")


def _known(public_id: str) -> str:
    """The id without its prefix. A malformed id is not found, like one of another account."""
    key_id = key_id_from(public_id)
    if key_id is None:
        raise no_such_key()
    return key_id


def _key_id(query: Annotated[OneKey, Query()]) -> str:
    return _known(query.id)


KeyId = Annotated[str, Depends(_key_id)]


def list_keys(
    caller: Caller, accounts: AppAccounts, query: Annotated[OneKeyOrAll, Query()]
) -> "Annotated[JsonResponse, Answers(KeysAnswer)]":
    """List all API keys for your account, oldest first, or get one of them by its id. No secret is
    shown.
    """
    if query.id is not None:
        key = accounts.key(caller.account_id, _known(query.id))
        if not visible(caller, key):
            raise no_such_key()
        return JsonResponse({"data": key.as_json()})
    keys = accounts.keys(caller.account_id)
    return JsonResponse({"data": [key.as_json() for key in keys if visible(caller, key)]})


async def create_key(
    http: Annotated[Request, Takes(CreateKey)],
    caller: Caller,
    accounts: AppAccounts,
    _query: Annotated[NoQuery, Query()],
) -> "Annotated[JsonResponse, Answers(KeyAnswer)]":
    """Create a new API key. The answer alone shows the secret. The new key may not do more, or last
    longer, than the key in use.
    """
    body = validated(CreateKey, await read_json(http, max_values=MAX_VALUES))
    test = caller.test if body.test is None else body.test
    new = NewKey(body.name, frozenset(body.permissions), body.expires_at, test)
    key, secret = await changed_by(
        http, caller, lambda by: accounts.create_key(caller.account_id, new, by=by)
    )
    return JsonResponse({"data": key.as_json(secret.text)})


async def change_key(
    http: Annotated[Request, Takes(ChangeKey)], caller: Caller, accounts: AppAccounts, key_id: KeyId
) -> "Annotated[JsonResponse, Answers(KeyAnswer)]":
    """What is not sent stays as it is; `"expires_at": null` takes the expiry away. The key in use
    needs every permission that the other one has, before and after.
    """
    body = validated(ChangeKey, await read_json(http, max_values=MAX_VALUES))
    if not body.model_fields_set:
        raise InvalidRequestError(
            "Nothing to change. Send one or more of: " + ", ".join(ChangeKey.model_fields) + ".",
            code="missing_required_parameter",
        )
    key = await changed_by(
        http, caller, lambda by: accounts.change_key(caller.account_id, key_id, body.apply, by)
    )
    return JsonResponse({"data": key.as_json()})


async def rotate_key(
    http: Annotated[Request, Takes(RotateKey)], caller: Caller, accounts: AppAccounts, key_id: KeyId
) -> "Annotated[JsonResponse, Answers(RotatedKeyAnswer)]":
    """The key keeps its id, name, permissions, expiry and usage. Its old secret stays good for a
    while, a day unless you say otherwise; all older ones end no later.
    """
    body = validated(RotateKey, await read_json(http, max_values=MAX_VALUES))
    overlap = timedelta(seconds=body.expires_in_seconds)
    rotation = await changed_by(
        http, caller, lambda by: accounts.rotate_key(caller.account_id, key_id, overlap, by)
    )
    data = rotation.key.as_json(rotation.secret.text)
    return JsonResponse({"data": {**data, "old_key_expires_at": iso(rotation.old_ends)}})


async def delete_key(
    http: Request, caller: Caller, accounts: AppAccounts, key_id: KeyId
) -> "Annotated[JsonResponse, Answers(KeyDeleted)]":
    """Delete an API key by ID. The key is refused from this answer on. The key in use needs
    every permission that the other one has.
    """
    await changed_by(http, caller, lambda by: accounts.delete_key(caller.account_id, key_id, by))
    return JsonResponse({"success": True})
