"""The one secret: read from Secrets Manager, kept for a while, and never said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Event, Thread
from typing import Any, ClassVar

import pytest

from losi.errors import StoreUnavailableError
from losi.http1 import tls_context
from losi.store.secret import SecretStore
from tests.dynamodb_local import free_port

VALUE = "sk-very-secret"


class SecretsManager(HTTPServer):
    """Answers with `answers` in turn, each a status and a body, and the last one for ever:
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.answers: list[tuple[int, bytes]] = [has(VALUE)]
        self.asked: list[tuple[dict[str, str], Any]] = []
        #: The bytes that each answer lacks.
        self.cut = 0
        self.goes_on = Event()
        self.goes_on.set()


class _Answer(BaseHTTPRequestHandler):
    server: SecretsManager
    log_message: ClassVar[Any] = lambda *_: None

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((headers, json.loads(self.rfile.read(length))))
        self.server.goes_on.wait()
        answers = self.server.answers
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        self.send_header("content-length", str(len(body) + self.server.cut))
        self.end_headers()
        self.wfile.write(body)


def has(value: str) -> tuple[int, bytes]:
    return 200, json.dumps({"Name": "losi", "SecretString": value}).encode()


DENIED = 400, b'{"__type": "AccessDeniedException", "Message": "no"}' + b"x" * 500
BROKEN = 500, b'{"__type": "InternalServiceError"}'


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretsManager]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    server = SecretsManager()
    Thread(target=lambda: server.serve_forever(0.01), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def store(manager: SecretsManager) -> SecretStore:
    return SecretStore("eu-central-1", f"http://127.0.0.1:{manager.server_port}")


def test_it_is_asked_for_by_a_signed_call(store: SecretStore, manager: SecretsManager) -> None:
    assert store.text("losi/providers") == VALUE

    [(headers, body)] = manager.asked
    assert body == {"SecretId": "losi/providers"}
    assert headers["x-amz-target"] == "secretsmanager.GetSecretValue"
    assert headers["content-type"] == "application/x-amz-json-1.1"
    assert "/eu-central-1/secretsmanager/aws4_request" in headers["authorization"]


class TestHowLongItIsKept:
    @pytest.fixture(autouse=True)
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        now = [1_000.0]
        monkeypatch.setattr("losi.store.secret.time.monotonic", lambda: now[0])
        return now

    def test_for_five_minutes(
        self, store: SecretStore, manager: SecretsManager, clock: list[float]
    ) -> None:
        assert store.fresh("losi") is None
        store.text("losi")
        manager.answers = [has("sk-new")]

        clock[0] += 300
        assert store.text("losi") == store.fresh("losi") == VALUE
        clock[0] += 0.1
        assert store.fresh("losi") is None
        assert store.text("losi") == store.fresh("losi") == "sk-new"
        assert len(manager.asked) == 2

    def test_unless_it_is_to_be_read_anew(
        self, store: SecretStore, manager: SecretsManager
    ) -> None:
        store.text("losi")
        manager.answers = [has("sk-new")]

        assert store.text("losi", refresh=True) == "sk-new"
        assert store.text("losi") == "sk-new"

    def test_to_the_end_of_an_outage(
        self, store: SecretStore, manager: SecretsManager, clock: list[float]
    ) -> None:
        store.text("losi")
        manager.answers, manager.asked = [BROKEN], []

        clock[0] += 301
        for _ in range(3):
            assert store.text("losi") == VALUE
            clock[0] += 3
        assert len(manager.asked) == 2, "it is tried twice, then not for ten seconds"
        clock[0] += 1.1
        assert store.text("losi") == VALUE
        assert len(manager.asked) == 4

        manager.answers = [has("sk-new")]
        clock[0] += 10.1
        assert store.text("losi") == "sk-new"

    def test_but_not_when_a_provider_has_refused_it(
        self, store: SecretStore, manager: SecretsManager, clock: list[float]
    ) -> None:
        store.text("losi")
        manager.answers = [BROKEN]

        clock[0] += 301
        with pytest.raises(StoreUnavailableError):
            store.text("losi", refresh=True)

    def test_each_by_its_name(self, store: SecretStore, manager: SecretsManager) -> None:
        manager.answers = [has("one"), has("two")]

        assert [store.text(name) for name in ("1", "2", "1", "2")] == ["one", "two", "one", "two"]

    def test_the_old_one_is_good_while_another_thread_fetches(
        self, store: SecretStore, manager: SecretsManager
    ) -> None:
        store.text("losi")
        manager.goes_on.clear()
        fetching = Thread(target=lambda: store.text("losi", refresh=True))
        fetching.start()
        try:
            assert store.text("losi") == VALUE
        finally:
            manager.goes_on.set()
            fetching.join()

    def test_threads_that_need_it_at_once_fetch_it_once(
        self, store: SecretStore, manager: SecretsManager
    ) -> None:
        manager.goes_on.clear()
        threads = [Thread(target=lambda: store.text("losi")) for _ in range(5)]
        for thread in threads:
            thread.start()
        manager.goes_on.set()
        for thread in threads:
            thread.join()

        assert len(manager.asked) == 1


class TestFailure:
    def refused(self, store: SecretStore) -> StoreUnavailableError:
        with pytest.raises(StoreUnavailableError) as caught:
            store.text("losi")
        return caught.value

    def test_that_is_an_answer_cut_short_is_refused(
        self, store: SecretStore, manager: SecretsManager
    ) -> None:
        manager.cut = 1

        self.refused(store)

        manager.cut = 0
        assert store.text("losi") == VALUE

    @pytest.mark.parametrize("failure", [BROKEN, (200, b"{"), (200, b"{}"), (503, b"")])
    def test_that_may_pass_is_tried_again_once(
        self, store: SecretStore, manager: SecretsManager, failure: tuple[int, bytes]
    ) -> None:
        manager.answers = [failure, has(VALUE)]
        assert store.text("losi") == VALUE

        manager.answers, manager.asked = [failure], []
        with pytest.raises(StoreUnavailableError):
            store.text("losi", refresh=True)
        assert len(manager.asked) == 2
        assert store.text("losi") == VALUE  # what was known stays

    @pytest.mark.parametrize(("status", "tries"), [(400, 1), (404, 1), (499, 1), (500, 2)])
    def test_of_ours_is_not(
        self, store: SecretStore, manager: SecretsManager, status: int, tries: int
    ) -> None:
        manager.answers = [(status, b"")]

        self.refused(store)

        assert len(manager.asked) == tries

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (DENIED, f"400 {DENIED[1][:200].decode()}"),
            (BROKEN, f"500 {BROKEN[1].decode()}"),
            ((400, b"\xff"), "400 �"),
            ((200, b"["), "the answer has no SecretString"),
            ((200, json.dumps({"SecretBinary": VALUE}).encode()), "the answer has no SecretString"),
        ],
    )
    def test_is_logged_with_its_reason_alone(
        self,
        store: SecretStore,
        manager: SecretsManager,
        caplog: pytest.LogCaptureFixture,
        answer: tuple[int, bytes],
        said: str,
    ) -> None:
        manager.answers = [answer]

        self.refused(store)

        assert caplog.messages == [f"the provider secret cannot be read: {said}"]
        assert VALUE not in caplog.text

    def test_of_a_host_that_is_not_there(
        self, manager: SecretsManager, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.refused(SecretStore("eu-central-1", f"http://127.0.0.1:{free_port()}"))

        assert caplog.messages == ["the provider secret cannot be read: URLError"]


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "secretsmanager.eu-central-1.amazonaws.com"),
        ("cn-north-1", "secretsmanager.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_without_an_endpoint_it_is_aws_s_own_over_tls(
    monkeypatch: pytest.MonkeyPatch, region: str, host: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    asked: list[Any] = []

    def refuse(request: Any, *, timeout: float, context: Any) -> Any:
        asked.append((request.full_url, timeout, context))
        raise OSError

    monkeypatch.setattr("losi.store.secret.urllib.request.urlopen", refuse)

    with pytest.raises(StoreUnavailableError):
        SecretStore(region).text("losi")

    assert asked == [(f"https://{host}/", 3, tls_context())] * 2
