"""Where credentials come from, and what happens when there are none."""

import logging

import pytest

from losi.config import read_config
from losi.errors import StoreUnavailableError, UpstreamUnavailableError
from losi.upstream.registry import Registry, configured
from losi.web.formats import FORMATS
from tests.catalogue import PROVIDERS
from tests.dynamodb_local import free_port


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOSI_OPENAI_API_KEY", "LOSI_ANTHROPIC_API_KEY", "LOSI_PROVIDER_SECRET"):
        monkeypatch.delenv(name, raising=False)


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


def test_nothing_listening_is_a_passing_trouble_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("LOSI_PROVIDER_SECRET", "losi/providers")

    with pytest.raises(StoreUnavailableError):
        Registry(FORMATS, read_config()).upstream(PROVIDERS["openai"])
    assert "provider secret cannot be read: URLError" in caplog.text
