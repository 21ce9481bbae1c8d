"""What each write asks of the account and its caller, condition by condition."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from losi.errors import (
    LosiError,
    PermissionDeniedError,
)
from losi.identity.account import Account
from losi.identity.audit import OPERATOR, Actor
from losi.identity.principal import ALL_PERMISSIONS, Principal
from losi.management.writes import (
    caller_as_read,
    check_changes,
    check_room,
    is_full,
    profile_as_read,
    profile_counted,
)
from tests.catalogue import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Callable


ACCOUNT = Account("ada", "pro", "Ada", "ada@example.com", datetime(2026, 11, 1, tzinfo=UTC))
TODAY = "2026-11-23"
FULL = Actor.of(Principal("ada", "Key00001", ALL_PERMISSIONS, CATALOGUE.plans["pro"], False, 3, 7))
LESSER = Actor.of(
    Principal("ada", "Key00002", frozenset({"api_keys.write"}), CATALOGUE.plans["pro"], False, 3, 7)
)
PERSON = Principal(
    "ada",
    "s",
    ALL_PERMISSIONS,
    CATALOGUE.plans["pro"],
    False,
    3,
    7,
    by_session=True,
    session_id="S1",
)


class TestTheCountOfChanges:
    """A day's first change sets all counts; a later one adds to its own, up to the most."""

    def written(self, account: Account, by: Actor, *, new_key: bool) -> dict[str, Any]:
        kind, update = profile_counted(account, by, TODAY, new_key=new_key)
        assert kind == "Update"
        assert update["Key"] == {"pk": {"S": "ACCOUNT#ada"}, "sk": {"S": "PROFILE"}}
        return update

    @pytest.mark.parametrize("day", ["", "2026-11-22"])
    @pytest.mark.parametrize(
        ("by", "counts"),
        [
            (FULL, "changes_full = :one, changes_other = :zero"),
            (LESSER, "changes_full = :zero, changes_other = :one"),
        ],
    )
    def test_begins_anew_each_day(self, day: str, by: Actor, counts: str) -> None:
        account = replace(ACCOUNT, changed_on=day, changes_full=300, changes_other=300)

        update = self.written(account, by, new_key=False)

        assert update["UpdateExpression"] == f"SET changed_on = :today, {counts}"
        assert update["ConditionExpression"] == (
            "disabled = :false AND #version = :profile AND "
            "(attribute_not_exists(changed_on) OR changed_on <> :today)"
        )
        assert update["ExpressionAttributeNames"] == {"#version": "version"}
        assert update["ExpressionAttributeValues"] == {
            ":false": {"BOOL": False},
            ":one": {"N": "1"},
            ":zero": {"N": "0"},
            ":profile": {"N": "7"},
            ":today": {"S": TODAY},
        }

    @pytest.mark.parametrize(("by", "own"), [(FULL, "changes_full"), (LESSER, "changes_other")])
    def test_goes_on_within_a_day(self, by: Actor, own: str) -> None:
        update = self.written(replace(ACCOUNT, changed_on=TODAY), by, new_key=True)

        assert update["UpdateExpression"] == (
            f"SET key_count = key_count + :one, {own} = {own} + :one"
        )
        assert update["ConditionExpression"] == (
            "disabled = :false AND #version = :profile AND "
            f"changed_on = :today AND {own} < :most AND key_count < :limit"
        )
        assert update["ExpressionAttributeValues"] == {
            ":false": {"BOOL": False},
            ":one": {"N": "1"},
            ":profile": {"N": "7"},
            ":today": {"S": TODAY},
            ":most": {"N": "300"},
            ":limit": {"N": "5"},
        }

    def test_the_operator_s_are_not_counted(self) -> None:
        update = self.written(ACCOUNT, OPERATOR, new_key=True)

        assert update == {
            "Key": update["Key"],
            "UpdateExpression": "SET key_count = key_count + :one",
            "ConditionExpression": "disabled = :false",
            "ExpressionAttributeValues": {":false": {"BOOL": False}, ":one": {"N": "1"}},
        }

    @pytest.mark.parametrize(
        ("by", "day", "full", "other", "code"),
        [
            (FULL, TODAY, 299, 300, None),
            (FULL, TODAY, 300, 0, "key_change_limit"),
            (LESSER, TODAY, 300, 299, None),
            (LESSER, TODAY, 0, 300, "key_change_limit"),
            (FULL, "2026-11-22", 300, 300, None),
            (OPERATOR, TODAY, 300, 300, None),
        ],
    )
    def test_is_refused_where_its_write_would_fail(
        self, by: Actor, day: str, full: int, other: int, code: str | None
    ) -> None:
        account = replace(ACCOUNT, changed_on=day, changes_full=full, changes_other=other)

        assert refused(lambda: check_changes(account, by, TODAY)) == code


def refused(check: Callable[[], None]) -> str | None:
    try:
        check()
    except LosiError as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("by", "disabled", "keys", "code"),
    [
        (FULL, False, 4, None),
        (FULL, False, 5, "key_limit_reached"),
        (FULL, False, 6, "key_limit_reached"),
        (OPERATOR, False, 6, None),
        (FULL, True, 0, "api_access_disabled"),
        (OPERATOR, True, 0, "api_access_disabled"),
    ],
)
def test_who_may_have_another_key(by: Actor, disabled: bool, keys: int, code: str | None) -> None:
    account = replace(ACCOUNT, disabled=disabled, key_count=keys)

    assert refused(lambda: check_room(account, by, CATALOGUE.plans)) == code


@pytest.mark.parametrize(
    ("plan", "keys", "words"),
    [
        (
            "free",
            1,
            "The free plan allows 1 API key, and this account has 1. Delete one first, or "
            "upgrade: the plus plan allows 2.",
        ),
        (
            "ultra",
            10,
            "The ultra plan allows 10 API keys, and this account has 10. Delete one first.",
        ),
    ],
)
def test_what_helps_where_there_is_no_room(plan: str, keys: int, words: str) -> None:
    assert FULL.caller is not None
    by = Actor.of(replace(FULL.caller, plan=CATALOGUE.plans[plan]))

    with pytest.raises(PermissionDeniedError) as caught:
        check_room(replace(ACCOUNT, key_count=keys), by, CATALOGUE.plans)

    assert caught.value.message == words


class TestChecksOfTheCaller:
    KEY_CHECK: ClassVar[Any] = {
        "ConditionExpression": "#version = :version",
        "ExpressionAttributeNames": {"#version": "version"},
        "ExpressionAttributeValues": {":version": {"N": "3"}},
    }
    SESSION_CHECK: ClassVar[Any] = {"ConditionExpression": "attribute_exists(pk)"}

    def checked(self, caller: Principal, but: str = "") -> dict[str, Any]:
        """By the sort keys of the items."""
        parts = caller_as_read(caller, but)
        assert all(kind == "ConditionCheck" for kind, _ in parts)
        return {
            check["Key"]["sk"]["S"]: {name: part for name, part in check.items() if name != "Key"}
            for _, check in parts
        }

    def test_are_of_its_key(self) -> None:
        assert FULL.caller is not None
        assert self.checked(FULL.caller) == {"KEY#Key00001": self.KEY_CHECK}
        assert self.checked(FULL.caller, but="Key00001") == {}
        assert self.checked(FULL.caller, but="Key00002") == {"KEY#Key00001": self.KEY_CHECK}

    def test_are_of_its_session_and_the_key_that_opened_it(self) -> None:
        by_key = replace(PERSON, session_key="Key00001")

        assert self.checked(PERSON) == {"SESSION#S1": self.SESSION_CHECK}
        assert self.checked(by_key) == {
            "SESSION#S1": self.SESSION_CHECK,
            "KEY#Key00001": self.KEY_CHECK,
        }
        assert self.checked(by_key, but="Key00001") == {"SESSION#S1": self.SESSION_CHECK}

    def test_are_of_its_profile(self) -> None:
        assert profile_as_read(PERSON) == (
            "ConditionCheck",
            {
                "Key": {"pk": {"S": "ACCOUNT#ada"}, "sk": {"S": "PROFILE"}},
                **self.KEY_CHECK,
                "ExpressionAttributeValues": {":version": {"N": "7"}},
            },
        )

    def test_a_full_key_has_every_permission_and_maybe_later_ones(self) -> None:
        later = replace(PERSON, permissions=ALL_PERMISSIONS | {"later"})
        fewer = replace(PERSON, permissions=ALL_PERMISSIONS - {"audit.read"})

        assert [is_full(each) for each in (PERSON, later, fewer)] == [True, True, False]
