"""Where `losi` finds the table, and how it speaks to what it finds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from losi.cli import connection
from losi.cli.connection import CannotConnectError, connect
from losi.config import KEPT, Retention

pytestmark = pytest.mark.usefixtures("elsewhere")

ENDPOINT = "http://127.0.0.1:1"
STATE = {"dynamodb_endpoint": ENDPOINT, "table": "losi", "base_url": "http://127.0.0.1:2/api/v1"}


def state(folder: Path, text: str = "") -> None:
    folder.mkdir()
    (folder / "local.json").write_text(text or json.dumps(STATE))


class TestLocally:
    def test_it_is_what_make_run_wrote(self, tmp_path: Path) -> None:
        state(tmp_path / ".losi")

        found = connect(None, None)

        assert (found.table, found.endpoint, found.base_url) == (
            "losi",
            ENDPOINT,
            "http://127.0.0.1:2/api/v1",
        )
        assert found.data == tmp_path / ".losi"
        assert (found.region, found.stack, found.retention) == ("", "", KEPT)
        assert found.client.meta.endpoint_url == ENDPOINT

    def test_in_the_folder_that_losi_data_names_and_no_other(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        state(tmp_path / ".losi")
        monkeypatch.setenv("LOSI_DATA", "mine")
        with pytest.raises(CannotConnectError):
            connect(None, None)

        state(tmp_path / "mine")
        assert connect(None, None).data == tmp_path / "mine"

    def test_the_environment_comes_first_if_it_is_whole(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        state(tmp_path / ".losi")
        for name, value in (
            ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:3"),
            ("LOSI_TABLE", "other"),
        ):
            with monkeypatch.context() as half:
                half.setenv(name, value)
                assert connect(None, None).table == "losi"

        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:3")
        monkeypatch.setenv("LOSI_TABLE", "other")
        found = connect(None, None)
        assert (found.table, found.endpoint, found.data) == ("other", "http://127.0.0.1:3", None)

    def test_a_state_without_a_url_knows_none(self, tmp_path: Path) -> None:
        state(tmp_path / ".losi", json.dumps({**STATE, "base_url": ""}))

        assert connect(None, None).base_url == ""

    @pytest.mark.parametrize("text", ["{", "[]", "{}", "null"])
    def test_a_damaged_file_says_which(self, tmp_path: Path, text: str) -> None:
        state(tmp_path / ".losi", text)

        with pytest.raises(CannotConnectError, match=r"\.losi/local\.json is damaged: start"):
            connect(None, None)

    def test_it_sends_neither_real_credentials_nor_asks_a_proxy(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")
        monkeypatch.setenv("AWS_PROFILE", "missing")
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", ENDPOINT)
        monkeypatch.setenv("LOSI_TABLE", "losi")

        client = connect(None, None).client

        credentials = client._request_signer._credentials  # type: ignore[attr-defined]
        assert (credentials.access_key, credentials.secret_key) == ("local", "local")
        assert client.meta.config.proxies == {}  # type: ignore[attr-defined]
        assert client.meta.region_name == "us-east-1"


def test_of_a_stack_it_waits_seconds_and_tries_three_times() -> None:
    client = connection._client("dynamodb", region_name="eu-west-1")

    config = client.meta.config
    assert config.retries == {"mode": "standard", "total_max_attempts": 3}
    assert config.connect_timeout == 5


def test_a_stack_s_parameters_say_how_long_it_keeps_what() -> None:
    days = {"UsageDays": "7", "AuditDays": "90", "SessionDays": "5"}
    made = connection.Connection(None, "losi", parameters=days)  # type: ignore[arg-type]

    assert made.retention == Retention(usage_days=7, audit_days=90, session_days=5)
