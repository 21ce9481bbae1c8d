"""Tables, CSV and JSON on the terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from losi.cli import output

Capture = pytest.CaptureFixture[str]


def test_json_is_for_people_too(capsys: Capture) -> None:
    output.print_json({"name": "Zoë", "keys": [1]})

    assert capsys.readouterr().out == '{\n  "name": "Zoë",\n  "keys": [\n    1\n  ]\n}\n'


def test_csv_has_its_columns_names_first(capsys: Capture) -> None:
    output.print_csv(["day", "cost"], [{"cost": 1.5, "day": "a,b"}])

    assert capsys.readouterr().out == 'day,cost\r\n"a,b",1.5\r\n'


def test_a_table_s_numbers_stand_right_and_long_words_are_folded(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")

    output.print_table(("NAME", "ITEMS", "USD"), [("a" * 10, "1", "10"), ("[b]", "22", "5")], 2)

    assert capsys.readouterr().out == (
        "NAME     ITEMS   USD\n"
        "────────────────────\n"
        "aaaaaa       1    10\n"
        "aaaa                \n"
        "[b]         22     5\n"
    )


def test_unless_it_is_said_no_column_holds_numbers(capsys: Capture) -> None:
    output.print_table(("NAME", "ITEMS"), [("a", "1")])

    assert capsys.readouterr().out.splitlines()[2] == "a      1    "


def test_fields_are_lined_up(capsys: Capture) -> None:
    output.print_fields([("Name", "Ada"), ("API keys", "2")])

    assert capsys.readouterr().out == "Name      Ada\nAPI keys  2\n"


def test_a_minute_is_of_utc() -> None:
    time = datetime(2026, 11, 26, 14, 3, 59, tzinfo=UTC)

    assert output.minute(time) == "2026-11-26 14:03"
    assert output.minute(time.astimezone(timezone(timedelta(hours=9)))) == "2026-11-26 14:03"
    assert output.minute(None) == ""
