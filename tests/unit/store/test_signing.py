"""Requests are signed as AWS's own signer signs them, with credentials that are good."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from unittest import mock

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from losi.store.signing import (
    CONTENT_TYPES,
    Credentials,
    CredentialSource,
    NoCredentialsError,
    signed_headers,
)

words = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=40)


@given(
    body=st.binary(max_size=200),
    key=words,
    secret=words,
    token=st.none() | words,
    region=st.sampled_from(["us-east-1", "eu-central-1", "cn-north-1"]),
    now=st.integers(min_value=1_700_000_000, max_value=2_000_000_000),
    service=st.sampled_from(sorted(CONTENT_TYPES)),
)
def test_the_signature_is_the_one_that_botocore_makes(
    body: bytes, key: str, secret: str, token: str | None, region: str, now: int, service: str
) -> None:
    host = f"{service}.{region}.amazonaws.com"
    target = "DynamoDB_20120810.UpdateItem"
    credentials = Credentials(key, secret, token)
    ours = signed_headers(host, target, body, region, credentials, now, service)

    request = AWSRequest(
        "POST",
        f"https://{host}/",
        headers={"Content-Type": CONTENT_TYPES[service], "X-Amz-Target": target},
        data=body,
    )
    at = datetime.fromtimestamp(now, UTC).replace(tzinfo=None)
    with mock.patch("botocore.auth.get_current_datetime", return_value=at):
        SigV4Auth(BotocoreCredentials(key, secret, token), service, region).add_auth(request)

    theirs = {name.lower(): value for name, value in request.headers.items()}
    assert ours == theirs


class Container(HTTPServer):
    """The endpoint that gives credentials to an environment restored from a snapshot:
    https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
    """

    def __init__(self, clock: list[float]) -> None:
        super().__init__(("127.0.0.1", 0), _Credentials)
        self.clock = clock
        self.lifetime = 3_600
        self.fails = False
        self.answer = b""
        self.asked: list[str | None] = []


class _Credentials(BaseHTTPRequestHandler):
    server: Container
    log_message: ClassVar[Any] = lambda *_: None

    def do_GET(self) -> None:
        self.server.asked.append(self.headers["Authorization"])
        end = datetime.fromtimestamp(self.server.clock[0] + self.server.lifetime, UTC)
        told = {
            "AccessKeyId": f"key{len(self.server.asked)}",
            "SecretAccessKey": "secret",
            "Token": "token",
            "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        self.send_response(500 if self.server.fails else 200)
        self.end_headers()
        self.wfile.write(self.server.answer or json.dumps(told).encode())


class TestCredentials:
    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        now = [1_795_000_000.0]
        monkeypatch.setattr("losi.store.signing.time.time", lambda: now[0])
        return now

    @pytest.fixture
    def container(self, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> Iterator[Container]:
        with Container(clock) as server:
            Thread(target=lambda: server.serve_forever(0.01), daemon=True).start()
            url = f"http://127.0.0.1:{server.server_port}/credentials"
            monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
            monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "from Lambda")
            yield server
            server.shutdown()

    @pytest.fixture(autouse=True)
    def nothing_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in (
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        ):
            monkeypatch.delenv(name, raising=False)

    def test_those_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_SESSION_TOKEN", "token")

        assert CredentialSource().read() == Credentials("key", "secret", "token")

    def test_half_of_them_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")

        with pytest.raises(NoCredentialsError, match="but not AWS_SECRET_ACCESS_KEY"):
            CredentialSource().read()

    def test_those_of_a_profile_are_looked_up_again_after_half_an_hour(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        profile = tmp_path / "credentials"
        profile.write_text("[default]\naws_access_key_id = key\naws_secret_access_key = secret\n")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(profile))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setattr("losi.store.signing.time.time", lambda: 1_795_000_000.0)

        found = CredentialSource().read()

        assert found == Credentials("key", "secret", None, expires=1_795_001_800.0)

    def test_half_a_profile_is_none(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        profile = tmp_path / "credentials"
        profile.write_text("[default]\naws_access_key_id = key\n")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(profile))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))

        with pytest.raises(NoCredentialsError, match="missing: aws_secret_access_key"):
            CredentialSource().read()

    def test_a_login_that_has_ended_is_none(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """botocore asks for SSO's credentials when they are read, and raises where the login has
        ended: https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sso.html
        """
        config = tmp_path / "config"
        config.write_text(
            "[default]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\n"
            "[sso-session s]\nsso_region = us-east-1\nsso_start_url = https://example.com\n"
        )
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))

        with pytest.raises(NoCredentialsError, match="SSO"):
            CredentialSource().read()

    def test_those_of_the_container_are_asked_for_again_before_they_end(
        self, container: Container, clock: list[float]
    ) -> None:
        source = CredentialSource()

        assert source.read() == Credentials("key1", "secret", "token", clock[0] + 3_600)
        clock[0] += 2_700 - 1
        assert source.read().access_key == "key1"
        clock[0] += 1
        assert source.fresh() is None
        assert source.read() == source.fresh()
        assert source.read().access_key == "key2"
        assert container.asked == ["from Lambda"] * 2

    def test_a_container_that_has_none_newer_is_asked_again_in_ten_seconds(
        self, container: Container, clock: list[float]
    ) -> None:
        container.lifetime = 60
        source = CredentialSource()

        assert [source.read().access_key for _ in range(3)] == ["key1"] * 3
        clock[0] += 10
        assert [source.read().access_key for _ in range(3)] == ["key2"] * 3
        assert len(container.asked) == 2

    def test_those_that_are_known_serve_to_their_end_while_the_container_fails(
        self, container: Container, clock: list[float], caplog: pytest.LogCaptureFixture
    ) -> None:
        source = CredentialSource()
        source.read()
        container.fails = True

        clock[0] += 2_700
        assert [source.read().access_key for _ in range(3)] == ["key1"] * 3
        assert len(container.asked) == 2
        assert caplog.messages == [
            "AWS credentials cannot be renewed: the container's endpoint: HTTPError"
        ]
        clock[0] += 900 - 1
        assert source.read().access_key == "key1"
        clock[0] += 1
        for _ in range(2):
            with pytest.raises(NoCredentialsError, match="the container's endpoint: HTTPError"):
                source.read()

        container.fails = False
        assert source.read().access_key == "key6"

    @pytest.mark.parametrize("answer", [b"no JSON", b"[]", b"{}", b'{"Expiration": 7}'])
    def test_an_answer_that_holds_none_is_no_credentials(
        self, container: Container, answer: bytes
    ) -> None:
        container.answer = answer

        with pytest.raises(NoCredentialsError, match="answered something else"):
            CredentialSource().read()

    @pytest.mark.parametrize("host", ["example.com", "127.0.0.1.example.com", "localhost@a.test"])
    def test_no_other_host_is_asked(self, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://{host}/credentials")

        with pytest.raises(NoCredentialsError, match="not on this host"):
            CredentialSource().read()
