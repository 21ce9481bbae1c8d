"""The whole table is checked for consistency, item by item and then between them."""

from __future__ import annotations

from typing import Any

import pytest

from losi.management.table_check import check

Item = dict[str, Any]


def an_item(pk: str, sk: str, **attributes: Any) -> Item:
    def stored(value: Any) -> Any:
        if isinstance(value, dict):
            return value
        return {"N": str(value)} if isinstance(value, int) else {"S": value}

    return {name: stored(value) for name, value in {"pk": pk, "sk": sk, **attributes}.items()}


def row(*figures: int) -> Item:
    return {"L": [{"N": str(figure)} for figure in figures]}


def a_day(committed: int, sort: str = "DAY#2026-11-23", account: str = "ada") -> Item:
    """With one request of 30 tokens by one key."""
    rows = {"M": {"Key00001": {"M": {"4o": row(1, 20, 10, 0, 0, 0, 0)}}}}
    return an_item(f"ACCOUNT#{account}", sort, committed=committed, holds={"M": {}}, k=rows)


PROFILE = an_item("ACCOUNT#ada", "PROFILE", key_count=1, email="Ada@example.com")
KEY = an_item("ACCOUNT#ada", "KEY#Key00001")
LOOKUP = an_item("EMAIL#ada@example.com", "ACCOUNT", account="ada")
INDEXED = an_item("EMAIL#", "INDEXED")
WHOLE = [PROFILE, KEY, LOOKUP, INDEXED, a_day(30)]


def mistakes(*items: Item) -> list[str]:
    return check(items).mistakes


def test_every_kind_of_item_is_counted() -> None:
    others = [
        an_item("ACCOUNT#ada", "SESSION#1"),
        an_item("ACCOUNT#ada", "LOGIN#1"),
        a_day(30, "TEST#2026-11-23"),
        an_item("ACCOUNT#ada", "FOLDED-DAY#2026-11-23"),
        an_item("AUDIT#ada", "1"),
        an_item("AUDIT#bob", "1"),
        an_item("LOGIN#1", "ACCOUNT", account="ada"),
        an_item("SIGNUPS#2026-11-23", "COUNT"),
        an_item("OPENED#DAY#2026-11-23#01", "ada"),
        an_item("RECONCILIATION", "STATE"),
    ]

    checked = check([*WHOLE, *others])

    assert checked.mistakes == []
    assert checked.counts == {
        "accounts": 1,
        "keys": 1,
        "sessions": 1,
        "notes of sign-ins": 1,
        "days": 1,
        "days of test keys": 1,
        "side items": 1,
        "audit records": 2,
        "e-mail addresses": 2,
        "sign-ins": 1,
        "counts of sign-ups": 1,
        "entries of the register": 1,
        "state of the reconciliation": 1,
    }


@pytest.mark.parametrize(
    "item", [an_item("ACCOUNT#ada", "OTHER#1"), an_item("OTHER", "1"), an_item("ACCOUNTS", "1")]
)
def test_what_no_version_writes_is_said(item: Item) -> None:
    checked = check([*WHOLE, item])

    where = f"{item['pk']['S']} {item['sk']['S']}"
    assert checked.mistakes == [f"{where}: no version that is known here writes it"]
    assert checked.counts["unknown"] == 1


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({**a_day(30), "holds": {"S": "none"}}, "KeyError"),
        ({**a_day(30), "committed": {"N": "1.5"}}, "ValueError"),
        ({**a_day(30), "sk": {"S": "DAY#yesterday"}}, "ValueError"),
        (an_item("EMAIL#bob@example.com", "ACCOUNT"), "KeyError"),
    ],
)
def test_what_cannot_be_read_stops_nothing(item: Item, reason: str) -> None:
    bad = a_day(31, account="bob")

    first, *others = mistakes(item, *WHOLE, bad)

    where = f"{item['pk']['S']} {item['sk']['S']}"
    assert first == f"{where}: it cannot be read: {reason}"
    assert len(others) == 2  # of the other account


def test_a_mistake_of_ours_is_not_called_one_of_the_item(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise TypeError

    monkeypatch.setattr("losi.management.table_check.mistakes", broken)

    with pytest.raises(TypeError):
        mistakes(*WHOLE)


class TestBooks:
    @pytest.mark.parametrize("sort", ["DAY#2026-11-23", "TEST#2026-11-23"])
    def test_that_do_not_add_up(self, sort: str) -> None:
        assert mistakes(*WHOLE[:-1], a_day(31, sort)) == [
            f"acct_ada {sort}: committed is 31, but 30 tokens are settled and 0 held: +1"
        ]

    @pytest.mark.parametrize(
        ("committed", "folded"), [(37, "FOLDED-DAY#2026-11-23"), (30, "FOLDED-DAY#2026-11-22")]
    )
    @pytest.mark.parametrize("first", [False, True])
    def test_that_add_up_with_those_of_deleted_keys(
        self, committed: int, folded: str, first: bool
    ) -> None:
        """Whichever of the two is read first; a side item of another day has no part in it."""
        side = an_item("ACCOUNT#ada", folded, **{"Key00009.4o.n": 1, "Key00009.4o.i": 7})
        both = [side, a_day(committed)] if first else [a_day(committed), side]

        assert mistakes(*WHOLE[:-1], *both) == []


class TestAccounts:
    @pytest.mark.parametrize(
        ("item", "sort"),
        [
            (KEY, "KEY#Key00001"),
            (an_item("ACCOUNT#ada", "SESSION#1"), "SESSION#1"),
            (a_day(30), "DAY#2026-11-23"),
        ],
    )
    def test_that_do_not_exist_own_nothing(self, item: Item, sort: str) -> None:
        assert mistakes(item) == [f"acct_ada {sort}: the account does not exist"]

    def test_that_were_deleted_leave_a_mark(self) -> None:
        assert mistakes(an_item("ACCOUNT#ada", "DAY#2026-11-23", v_p=2)) == []

    @pytest.mark.parametrize(("counted", "there"), [(0, 1), (2, 1), (1, 0), (1, 2)])
    def test_count_their_keys(self, counted: int, there: int) -> None:
        profile = {**PROFILE, "key_count": {"N": str(counted)}}
        keys = [an_item("ACCOUNT#ada", f"KEY#{n}") for n in range(there)]
        session = an_item("ACCOUNT#ada", "SESSION#1")

        assert mistakes(profile, session, LOOKUP, *keys) == [
            f"acct_ada: it counts {counted} keys, and has {there}"
        ]


class TestLookups:
    @pytest.mark.parametrize(
        "profile",
        [
            {**PROFILE, "email": {"S": "other@example.com"}},
            {name: value for name, value in PROFILE.items() if name != "email"},
        ],
    )
    def test_lead_to_the_account_with_the_address(self, profile: Item) -> None:
        assert mistakes(profile, KEY, LOOKUP) == [
            "acct_ada: an e-mail address that is not its own leads to it"
        ]

    def test_do_not_lead_to_nobody(self) -> None:
        assert mistakes(LOOKUP) == ["acct_ada: an e-mail address that is not its own leads to it"]
