"""What is removed with an account, as requests of BatchWriteItem."""

from __future__ import annotations

from typing import Any

import pytest

from losi.management.erasure import erasing
from losi.metering import register
from losi.metering.day_item import DayItem

ENDS = 1_795_000_000
PK = {"S": "ACCOUNT#ada"}


def an_item(sort: str, **attributes: Any) -> dict[str, Any]:
    return {"pk": PK, "sk": {"S": sort}, **attributes}


def deleting(pk: str, sk: str) -> dict[str, Any]:
    return {"DeleteRequest": {"Key": {"pk": {"S": pk}, "sk": {"S": sk}}}}


def test_the_profile_stays_until_the_last_step() -> None:
    assert erasing([an_item("PROFILE", v_p={"N": "1"})], 2, ENDS) == []


@pytest.mark.parametrize("sort", ["KEY#Key00001", "SESSION#1", "FOLDED-DAY#2026-11-23"])
def test_what_is_the_account_s_alone_goes(sort: str) -> None:
    assert erasing([an_item(sort, a={"S": "x"})], 2, ENDS) == [deleting("ACCOUNT#ada", sort)]


def test_with_the_note_of_a_sign_in_goes_what_leads_to_the_account() -> None:
    assert erasing([an_item("LOGIN#abc")], 2, ENDS) == [
        deleting("LOGIN#abc", "ACCOUNT"),
        deleting("ACCOUNT#ada", "LOGIN#abc"),
    ]


@pytest.mark.parametrize(("sort", "test"), [("DAY#2026-11-23", False), ("TEST#2026-11-23", True)])
def test_with_a_day_goes_its_entry_in_the_register(sort: str, test: bool) -> None:
    item = an_item(sort, v_p={"N": "1"}, committed={"N": "5"})
    entry = register.key("ada", DayItem.from_item(item).day, test=test)

    assert erasing([item], 2, ENDS) == [
        {"DeleteRequest": {"Key": entry}},
        deleting("ACCOUNT#ada", sort),
    ]


def test_of_a_day_that_has_the_mark_the_mark_alone_stays() -> None:
    """It ends the principals that other processes have cached."""
    item = an_item("DAY#2026-11-23", v_p={"N": "2"}, committed={"N": "5"}, ttl={"N": "9"})

    _, kept = erasing([item], 2, ENDS)

    assert kept == {
        "PutRequest": {"Item": an_item("DAY#2026-11-23", v_p={"N": "2"}, ttl={"N": str(ENDS)})}
    }


def test_items_keep_their_order() -> None:
    sorts = ["KEY#1", "PROFILE", "SESSION#1"]

    requests = erasing([an_item(sort) for sort in sorts], 2, ENDS)

    assert requests == [deleting("ACCOUNT#ada", sort) for sort in ("KEY#1", "SESSION#1")]
