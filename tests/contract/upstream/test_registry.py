"""Credentials of providers in Secrets Manager, as moto answers for it."""

import json
import time
from collections.abc import Iterator

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from losi.catalogue.providers import SANDBOX
from losi.config import read_config
from losi.errors import StoreUnavailableError, UpstreamUnavailableError
from losi.upstream import registry as registries
from losi.upstream.registry import Registry, configured
from losi.web.formats import FORMATS
from tests.catalogue import PROVIDERS

SECRET = "losi/providers"


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOSI_OPENAI_API_KEY", "LOSI_ANTHROPIC_API_KEY", "LOSI_PROVIDER_SECRET"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address, port = server.get_host_and_port()
    yield f"http://{address}:{port}"
    server.stop()


@pytest.fixture
def secret(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    registries._secrets.cache_clear()
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("LOSI_PROVIDER_SECRET", SECRET)
    boto3.client("secretsmanager").create_secret(Name=SECRET, SecretString="{}")
    yield SECRET
    httpx.post(f"{endpoint}/moto-api/reset")


def store(values: object) -> None:
    text = values if isinstance(values, str) else json.dumps(values)
    boto3.client("secretsmanager").put_secret_value(SecretId=SECRET, SecretString=text)


def test_in_aws_the_secret_is_read(secret: str) -> None:
    store({"LOSI_OPENAI_API_KEY": "sk-secret"})

    assert configured(read_config(), PROVIDERS["openai"])
    assert not configured(read_config(), PROVIDERS["anthropic"])


def test_a_key_that_the_provider_refused_is_read_again_at_once(secret: str) -> None:
    registry = Registry(FORMATS, read_config())
    store({"LOSI_OPENAI_API_KEY": "sk-old"})
    old = registry.upstream(PROVIDERS["openai"])
    store({"LOSI_OPENAI_API_KEY": "sk-new"})

    assert registry.upstream(PROVIDERS["openai"]) is old  # still in its five minutes
    assert registry.upstream(PROVIDERS["openai"], refresh=True) is not old


@pytest.mark.parametrize("text", ["not json", "[1]", '{"LOSI_OPENAI_API_KEY": 5}', '"text"'])
def test_a_secret_of_another_form_holds_no_credentials(secret: str, text: str) -> None:
    store(text)

    with pytest.raises(UpstreamUnavailableError):
        Registry(FORMATS, read_config()).upstream(PROVIDERS["openai"])


def test_a_secret_that_cannot_be_read_is_a_passing_trouble(
    secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    boto3.client("secretsmanager").delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)

    with pytest.raises(StoreUnavailableError):
        Registry(FORMATS, read_config()).upstream(PROVIDERS["openai"])
    assert "provider secret cannot be read" in caplog.text


def test_a_provider_with_nothing_in_the_secret_is_called_without_it(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Test keys are answered while Secrets Manager is away, and Bedrock by the function's role."""
    boto3.client("secretsmanager").delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
    monkeypatch.setenv("LOSI_BEDROCK_REGION", "us-east-1")
    registry = Registry(FORMATS, read_config())

    assert registry.upstream(SANDBOX)
    assert registry.upstream(PROVIDERS["bedrock"], refresh=True)


def test_only_what_has_to_be_fetched_blocks(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when `blocks` asks the configuration alone: each request would take a thread."""
    registry = Registry(FORMATS, read_config())
    store({"LOSI_OPENAI_API_KEY": "sk"})
    assert registry.blocks

    registry.upstream(PROVIDERS["openai"])

    assert not registry.blocks
    now = time.monotonic()
    monkeypatch.setattr("losi.store.secret.time.monotonic", lambda: now + 301)
    assert registry.blocks


def test_a_secret_is_read_again_after_five_minutes(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store({"LOSI_OPENAI_API_KEY": "sk-old"})
    assert configured(read_config(), PROVIDERS["openai"])
    store({})

    assert configured(read_config(), PROVIDERS["openai"])
    now = time.monotonic()
    monkeypatch.setattr("losi.store.secret.time.monotonic", lambda: now + 301)
    assert not configured(read_config(), PROVIDERS["openai"])
