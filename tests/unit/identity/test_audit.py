"""A record of the audit log: what it keeps, how it is stored and shown."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from losi.identity.audit import OPERATOR, Actor, Origin, Record, origin, record
from losi.identity.principal import Principal
from tests.catalogue import CATALOGUE

NOW = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)
CALLER = Principal(
    "0123456789", "01234567", frozenset(), CATALOGUE.plans["free"], False, 1, 1, session_id="abc"
)


def recorded(**fields: Any) -> Record:
    return record("0123456789", OPERATOR, "key.changed", "key_1", NOW.timestamp(), **fields)


def test_an_actor_is_named_by_the_key_or_the_sign_in() -> None:
    by_session = replace(CALLER, by_session=True)

    assert Actor.of(CALLER) == Actor("key_01234567", CALLER)
    assert Actor.of(by_session) == Actor("sess_abc", by_session)


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        (None, None, ({}, {})),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, ({"b": 2}, {"b": 3})),
        (None, {"a": True}, ({}, {"a": True})),
        ({"a": True}, None, ({"a": True}, {})),
        ({"a": None}, {"b": None}, ({}, {})),
    ],
)
def test_only_what_differs_is_kept(before: Any, after: Any, kept: Any) -> None:
    made = recorded(before=before, after=after)

    assert (made.before, made.after) == kept


def test_a_record_is_stored_and_read_back() -> None:
    everything = {"none": None, "yes": True, "no": False, "number": 5, "text": "x", "list": ["a"]}
    token = origin.set(Origin("192.0.2.1", "req_1"))
    try:
        made = recorded(before={}, after={**everything, "none": "y"}, kept_days=2)
    finally:
        origin.reset(token)
    made = replace(made, before=everything, id="000001abc")

    assert made.to_item() == {
        "pk": {"S": "AUDIT#0123456789"},
        "sk": {"S": "2026-11-23T12:00:00.250000#000001abc"},
        "actor": {"S": "operator"},
        "action": {"S": "key.changed"},
        "target": {"S": "key_1"},
        "before": {"M": {
            "none": {"NULL": True},
            "yes": {"BOOL": True},
            "no": {"BOOL": False},
            "number": {"N": "5"},
            "text": {"S": "x"},
            "list": {"L": [{"S": "a"}]},
        }},
        "after": {"M": {
            "none": {"S": "y"},
            "yes": {"BOOL": True},
            "no": {"BOOL": False},
            "number": {"N": "5"},
            "text": {"S": "x"},
            "list": {"L": [{"S": "a"}]},
        }},
        "ip": {"S": "192.0.2.1"},
        "request_id": {"S": "req_1"},
        "ttl": {"N": str(int(NOW.timestamp()) + 2 * 86_400)},
    }  # fmt: skip
    assert replace(Record.from_item(made.to_item()), kept_days=2) == made


def test_a_record_as_it_is_shown() -> None:
    shown = recorded(before={"a": 1}, after={"a": 2}).as_json()

    assert shown.pop("id").startswith("audit_")
    assert shown == {
        "at": "2026-11-23T12:00:00Z",
        "actor": "operator",
        "action": "key.changed",
        "target": "key_1",
        "before": {"a": 1},
        "after": {"a": 2},
        "ip": None,
        "request_id": None,
    }


def test_records_of_one_moment_stay_in_their_order() -> None:
    made = [recorded() for _ in range(3)]

    assert made == sorted(made, key=lambda one: one.sort)
