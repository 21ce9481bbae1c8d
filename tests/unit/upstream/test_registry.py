"""Where credentials come from, and what happens when there are none."""

import json
import logging
import time
from collections.abc import Iterator

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from losi.catalogue.providers import SANDBOX
from losi.config import read_config
from losi.errors import StoreUnavailableError, UpstreamUnavailableError
from losi.upstream.registry import Registry, configured
from losi.web.formats import FORMATS
from tests.catalogue import PROVIDERS
from tests.dynamodb_local import free_port

SECRET = "losi/providers"


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOSI_OPENAI_API_KEY", "LOSI_ANTHROPIC_API_KEY", "LOSI_PROVIDER_SECRET"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", f"http://{address}:{port}")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("LOSI_PROVIDER_SECRET", SECRET)
    boto3.client("secretsmanager").create_secret(Name=SECRET, SecretString="{}")
    yield SECRET
    httpx.post(f"http://{address}:{port}/moto-api/reset")
    server.stop()


def store(values: object) -> None:
    text = values if isinstance(values, str) else json.dumps(values)
    boto3.client("secretsmanager").put_secret_value(SecretId=SECRET, SecretString=text)


def test_the_environment_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSI_OPENAI_API_KEY", "sk-1")

    assert configured(read_config(), PROVIDERS["openai"])
    assert Registry(FORMATS, read_config()).upstream(PROVIDERS["openai"])


def test_without_credentials_the_operator_is_told_and_the_caller_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(UpstreamUnavailableError) as caught:
        Registry(FORMATS, read_config()).upstream(PROVIDERS["openai"])

    assert "LOSI_OPENAI_API_KEY" in caplog.text
    assert (caught.value.status, caught.value.code) == (503, "upstream_not_configured")
    assert "LOSI_" not in caught.value.message and "OpenAI" not in caught.value.message


@pytest.mark.parametrize("name", ["vllm", "ollama"])
def test_a_server_of_ones_own_needs_no_key_but_a_url(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not configured(read_config(), PROVIDERS[name])

    monkeypatch.setenv(f"LOSI_{name.upper()}_BASE_URL", "http://127.0.0.1:8000/v1")

    assert configured(read_config(), PROVIDERS[name])


def test_bedrock_needs_a_region_and_its_credential_is_the_role(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("LOSI_BEDROCK_REGION", raising=False)
    with caplog.at_level(logging.ERROR), pytest.raises(UpstreamUnavailableError):
        Registry(FORMATS, read_config()).upstream(PROVIDERS["bedrock"])

    monkeypatch.setenv("LOSI_BEDROCK_REGION", "eu-central-1")

    assert "set LOSI_BEDROCK_REGION" in caplog.text
    assert configured(read_config(), PROVIDERS["bedrock"])
    assert PROVIDERS["bedrock"].credentials == "the function's IAM role"


def test_the_sandbox_needs_nothing() -> None:
    assert configured(read_config(), PROVIDERS["sandbox"])


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


def test_nothing_listening_is_a_passing_trouble_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("LOSI_PROVIDER_SECRET", SECRET)

    with pytest.raises(StoreUnavailableError):
        Registry(FORMATS, read_config()).upstream(PROVIDERS["openai"])
    assert "provider secret cannot be read: URLError" in caplog.text


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
