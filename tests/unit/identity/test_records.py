"""The rules for names, permissions, expiries and ids; records as items and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losi.identity.account import Account, account_id_from
from losi.identity.key import Key, key_id_from
from losi.identity.principal import PERMISSIONS
from losi.identity.values import InvalidValueError, iso, valid_expiry, valid_name, valid_permission
from losi.ids import ALPHABET

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()

whole_seconds = st.datetimes(
    datetime(2020, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)
).map(lambda time: time.replace(microsecond=0))
identifiers = st.text(ALPHABET, min_size=8, max_size=8)


class TestNames:
    @pytest.mark.parametrize("name", ["My API Key", "x", "ключ 🔑", "a" * 100, "👨‍👩‍👧 family"])
    def test_good_ones_stay_as_they_are(self, name: str) -> None:
        assert valid_name(name) == name

    def test_spaces_around_are_dropped(self) -> None:
        assert valid_name("  My key ") == "My key"

    @pytest.mark.parametrize(
        ("name", "says"),
        [
            ("", "empty"),
            (" \t ", "empty"),
            ("a" * 101, "101 characters"),
            ("a" * 1_000_000, "1000000 characters"),
            ("two\nlines", "control character"),
            ("bell\x07", "control character"),
            ("nul\x00", "control character"),
            ("escape\x1b[31m", "control character"),
            ("c1\x85", "control character"),
            ("line\u2028separator", "control character"),
            ("turned\u202eround", "control character"),
            ("half a \ud83d pair", "control character"),
        ],
    )
    def test_bad_ones_are_refused_with_the_reason(self, name: str, says: str) -> None:
        with pytest.raises(InvalidValueError, match=says) as caught:
            valid_name(name)

        assert "'name'" in str(caught.value)
        assert len(str(caught.value)) < 200

    @given(st.text(max_size=120))
    def test_what_passes_can_be_stored_and_shown_in_a_line(self, name: str) -> None:
        try:
            passed = valid_name(name)
        except InvalidValueError:
            return
        assert passed.encode()
        assert len(passed.splitlines()) == 1


class TestPermissions:
    @pytest.mark.parametrize("name", PERMISSIONS)
    def test_the_known_ones_pass(self, name: str) -> None:
        assert valid_permission(name) == name

    @pytest.mark.parametrize("name", ["admin", "", "CHAT.COMPLETIONS", "*", "x" * 10_000, "a\nb"])
    def test_others_are_refused_with_the_choice(self, name: str) -> None:
        with pytest.raises(InvalidValueError, match=r"Choose from: chat\.completions, ") as caught:
            valid_permission(name)

        assert len(str(caught.value)) < 300
        assert "\n" not in str(caught.value)

    def test_the_unknown_one_is_named(self) -> None:
        with pytest.raises(InvalidValueError, match="'admin'"):
            valid_permission("admin")


class TestExpiries:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("2027-12-31T23:59:59Z", "2027-12-31T23:59:59Z"),
            ("2027-12-31T23:59:59.999Z", "2027-12-31T23:59:59Z"),
            ("2028-01-01T01:59:59+02:00", "2027-12-31T23:59:59Z"),
            ("20271231T235959Z", "2027-12-31T23:59:59Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ],
    )
    def test_any_zone_becomes_utc(self, text: str, shown: str) -> None:
        assert iso(valid_expiry(text, NOW)) == shown

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("tomorrow", "not an ISO 8601 time"),
            ("", "not an ISO 8601 time"),
            ("2027-13-01T00:00:00Z", "not an ISO 8601 time"),
            ("1830000000", "not an ISO 8601 time"),
            ("9999-12-31T23:59:59-14:00", "not an ISO 8601 time"),
            ("0001-01-01T00:00:00+14:00", "not an ISO 8601 time"),
            ("2" * 100_000, "not an ISO 8601 time"),
            ("2027-12-31T23:59:59", "no time zone"),
            ("2027-12-31", "no time zone"),
            ("2026-11-23T12:00:00Z", "in the past"),
            ("2026-11-23T12:00:00.9Z", "in the past"),
            ("2020-01-01T00:00:00Z", "in the past"),
            ("0001-01-01T00:00:00Z", "in the past"),
        ],
    )
    def test_bad_ones_are_refused_with_the_reason(self, text: str, says: str) -> None:
        with pytest.raises(InvalidValueError, match=says) as caught:
            valid_expiry(text, NOW)

        assert "'expires_at'" in str(caught.value)

    @given(whole_seconds, st.integers(-840, 840))
    def test_every_way_to_write_a_time_is_the_same_time(self, time: datetime, offset: int) -> None:
        zone = timezone(timedelta(minutes=offset))
        try:
            text = time.astimezone(zone).isoformat()
        except OverflowError:
            return
        assert valid_expiry(text, 0) == time


class TestIds:
    @given(identifiers)
    def test_shown_ids_are_read_back(self, characters: str) -> None:
        assert key_id_from(f"key_{characters}") == characters

    @pytest.mark.parametrize(
        "text",
        ["", "key_", "key_short", "key_toolong123", "abcd1234", "key_abcd123!", "key_абвгдежз"],
    )
    def test_what_no_key_can_be_called(self, text: str) -> None:
        assert key_id_from(text) is None

    def test_accounts_have_ids_of_their_own(self) -> None:
        assert account_id_from("acct_0123456789") == "0123456789"
        assert account_id_from("key_01234567") is None


class TestItems:
    @given(
        st.builds(
            Key,
            id=identifiers,
            name=st.text(min_size=1),
            permissions=st.frozensets(st.sampled_from(sorted(PERMISSIONS)), min_size=1),
            created_at=whole_seconds,
            hash=st.text("0123456789abcdef", min_size=64, max_size=64),
            expires_at=st.none() | whole_seconds,
            is_enabled=st.booleans(),
            test=st.booleans(),
            version=st.integers(1),
            last_used_at=st.none() | whole_seconds,
            created_by=st.text(),
            old_hashes=st.dictionaries(identifiers, whole_seconds),
        )
    )
    def test_a_key_survives(self, key: Key) -> None:
        assert Key.from_item(key.to_item("0123456789")) == key

    @given(
        st.builds(
            Account,
            id=st.text(ALPHABET, min_size=10, max_size=10),
            plan_name=st.text(),
            name=st.text(),
            email=st.text(),
            created_at=whole_seconds,
            api_access=st.booleans(),
            disabled=st.booleans(),
            operator=st.booleans(),
            version=st.integers(1),
            key_count=st.integers(0),
            changed_on=st.text(),
            changes_full=st.integers(0),
            changes_other=st.integers(0),
            tag=st.text(min_size=1),
        )
    )
    def test_an_account_survives(self, account: Account) -> None:
        assert Account.from_item(account.to_item()) == account

    def test_a_key_as_it_is_stored_and_shown(self) -> None:
        created = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)
        key = Key("01234567", "n", frozenset(("usage.read", "embeddings")), created, "f00d")
        full = replace(
            key,
            expires_at=created + timedelta(days=1),
            is_enabled=False,
            test=True,
            last_used_at=created - timedelta(seconds=30),
            created_by="operator",
            old_hashes={"cafe": created},
        )

        assert key.to_item("0123456789") == {
            "pk": {"S": "ACCOUNT#0123456789"},
            "sk": {"S": "KEY#01234567"},
            "name": {"S": "n"},
            "permissions": {"SS": ["embeddings", "usage.read"]},
            "full": {"BOOL": False},
            "created_at": {"S": "2026-11-23T12:00:30Z"},
            "hash": {"S": "f00d"},
            "is_enabled": {"BOOL": True},
            "test": {"BOOL": False},
            "version": {"N": "1"},
            "old_hashes": {"M": {}},
        }
        assert full.attributes()["old_hashes"] == {
            "M": {"cafe": {"N": str(int(created.timestamp()))}}
        }
        assert key.as_json() == {
            "id": "key_01234567",
            "key": "••••••••",
            "name": "n",
            "created_at": "2026-11-23T12:00:30Z",
            "last_used_at": None,
            "permissions": ["embeddings", "usage.read"],
            "expires_at": None,
            "is_enabled": True,
            "created_by": None,
        }
        assert full.as_json("losi-test-x") == {
            "id": "key_01234567",
            "key": "losi-test-x",
            "name": "n",
            "created_at": "2026-11-23T12:00:30Z",
            "last_used_at": "2026-11-23T12:00:30Z",  # not before it was made
            "permissions": ["embeddings", "usage.read"],
            "expires_at": "2026-11-24T12:00:30Z",
            "is_enabled": False,
            "created_by": "operator",
            "test": True,
        }
        assert full.audited() == {
            "permissions": ["embeddings", "usage.read"],
            "expires_at": "2026-11-24T12:00:30Z",
            "is_enabled": False,
            "test": True,
        }
        assert key.audited()["expires_at"] is None

    def test_an_account_as_it_is_stored_and_shown(self) -> None:
        created = datetime(2026, 11, 23, 12, tzinfo=UTC)
        account = Account("0123456789", "free", "Ada", "ada@example.com", created, tag="t")

        assert account.to_item() == {
            "pk": {"S": "ACCOUNT#0123456789"},
            "sk": {"S": "PROFILE"},
            "plan": {"S": "free"},
            "name": {"S": "Ada"},
            "email": {"S": "ada@example.com"},
            "created_at": {"S": "2026-11-23T12:00:00Z"},
            "api_access": {"BOOL": True},
            "disabled": {"BOOL": False},
            "operator": {"BOOL": False},
            "version": {"N": "1"},
            "key_count": {"N": "0"},
            "changed_on": {"S": ""},
            "changes_full": {"N": "0"},
            "changes_other": {"N": "0"},
            "keys_made": {"N": "0"},
            "keys_made_on": {"S": ""},
            "tag": {"S": "t"},
        }
        assert account.as_json() == {
            "id": "acct_0123456789",
            "name": "Ada",
            "email": "ada@example.com",
            "plan": "free",
            "api_access": True,
            "disabled": False,
            "created_at": "2026-11-23T12:00:00Z",
            "key_count": 0,
        }
        assert account.audited() == {
            "plan": "free",
            "api_access": True,
            "disabled": False,
            "operator": False,
        }

    def test_a_key_that_is_printed_shows_no_hash(self) -> None:
        created = datetime.fromtimestamp(NOW, UTC)
        key = Key("k", "n", frozenset(), created, hash="deadbeef", old_hashes={"cafe": created})

        assert "deadbeef" not in repr(key)
        assert "cafe" not in repr(key)
