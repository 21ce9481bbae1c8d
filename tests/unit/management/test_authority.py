"""What one key may do to another, case by case."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from losi.errors import PermissionDeniedError
from losi.identity.key import NewKey
from losi.identity.principal import Principal
from losi.management.authority import check_authority, check_deletion, visible
from tests.catalogue import CATALOGUE

ENDS = datetime(2026, 12, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FEW, MORE = frozenset(("models.list",)), frozenset(("models.list", "usage.read"))


def caller(
    *, permissions: frozenset[str] = FEW, test: bool = False, ends: datetime | None = None
) -> Principal:
    until = ends.timestamp() if ends else None
    return Principal("a", "k", permissions, CATALOGUE.plans["free"], test, 1, 1, until)


def key(
    *, permissions: frozenset[str] = FEW, test: bool = False, ends: datetime | None = None
) -> NewKey:
    return NewKey("other", permissions, ends, test)


@pytest.mark.parametrize(
    ("by", "other"),
    [
        (caller(), key()),
        (caller(permissions=MORE), key()),
        (caller(), key(ends=ENDS)),
        (caller(), key(test=True)),
        (caller(test=True), key(test=True)),
        (caller(ends=ENDS), key(ends=ENDS)),
        (caller(ends=ENDS), key(ends=ENDS - SECOND)),
    ],
)
def test_a_key_may_deal_with_what_is_no_more_than_itself(by: Principal, other: NewKey) -> None:
    check_authority(by, other)
    check_deletion(by, other)
    assert visible(by, other)


@pytest.mark.parametrize(
    ("by", "other", "param", "code"),
    [
        (caller(), key(permissions=MORE), "permissions", "missing_permission"),
        (caller(ends=ENDS), key(), "expires_at", "expires_too_late"),
        (caller(ends=ENDS), key(ends=ENDS + SECOND), "expires_at", "expires_too_late"),
        (caller(test=True), key(), None, "live_key_required"),
    ],
)
def test_it_may_not_make_or_change_what_is_more(
    by: Principal, other: NewKey, param: str | None, code: str
) -> None:
    assert refusal(check_authority, by, other) == (param, code)


def test_it_may_not_delete_what_may_do_more() -> None:
    more = key(permissions=MORE)

    assert refusal(check_deletion, caller(), more) == ("id", "missing_permission")
    assert refusal(check_deletion, caller(test=True), key()) == (None, "live_key_required")
    check_deletion(caller(ends=ENDS), key())  # lasting longer is no power over others


def test_what_is_lacking_is_named_in_the_order_of_the_documentation() -> None:
    lacking = frozenset(("usage.read", "embeddings", "later.two", "later.one", "models.list"))

    with pytest.raises(PermissionDeniedError) as refused:
        check_authority(caller(), key(permissions=lacking))

    assert "'embeddings', 'usage.read', 'later.one', 'later.two' itself" in refused.value.message


def test_test_keys_see_test_keys_only() -> None:
    assert not visible(caller(test=True), key())


def refusal(
    check: Callable[[Principal, NewKey], None], by: Principal, other: NewKey
) -> tuple[str | None, str | None]:
    with pytest.raises(PermissionDeniedError) as refused:
        check(by, other)
    return refused.value.param, refused.value.code
