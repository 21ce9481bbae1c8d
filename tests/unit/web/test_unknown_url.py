"""A path that nothing answers, and the URL that was meant."""

from pathlib import Path

import httpx
import pytest

from losi.web.site import Site
from losi.web.unknown_url import meant, unknown_url


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1/chat/completions/", "/api/v1/chat/completions"),
        ("/api/v1//chat/completions", "/api/v1/chat/completions"),
        ("/v1/chat/completions", "/api/v1/chat/completions"),
        ("/v1/chat/completions/", "/api/v1/chat/completions"),
        ("/chat/completions", "/api/v1/chat/completions"),
        ("/api/chat/completions", "/api/v1/chat/completions"),
        ("/api/v1/v1/chat/completions", "/api/v1/chat/completions"),
        ("/api/v1/api/v1/models", "/api/v1/models"),
        ("/API/V1/Models", "/api/v1/models"),
        ("/openai/v1/embeddings", "/api/v1/embeddings"),
        ("/v1/models/org/model", "/api/v1/models/org/model"),
        ("/v2/api-usage", "/api/v1/api-usage"),
        ("/api/v1/chat/completion", "/api/v1/chat/completions"),
        ("/api/v1/api_keys", "/api/v1/api-keys"),
        ("/v1/responses", "/api/v1/chat/completions"),
        ("/v1/completions", "/api/v1/chat/completions"),
        ("/api/v1", None),
        ("/apiary", None),
        ("/", None),
        ("/nothing/of/ours", None),
    ],
)
def test_the_path_that_was_meant(path: str, expected: str | None) -> None:
    assert meant(path) == expected


@pytest.mark.parametrize("prefix", ["", "/prod", "/llm"])
def test_the_words_have_the_right_url_as_it_is_deployed(prefix: str) -> None:
    words = unknown_url("POST", "/v1/chat/completions", prefix)

    assert f"POST {prefix}/v1/chat/completions." in words
    assert f"Did you mean {prefix}/api/v1/chat/completions?" in words


async def test_the_site_says_it_where_no_function_has_the_path(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"files": {}}')
    transport = httpx.ASGITransport(Site(tmp_path))
    async with httpx.AsyncClient(transport=transport, base_url="http://losi") as client:
        response = await client.post("/v1/chat/completions/", json={})

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (404, "unknown_url")
    assert "Did you mean /api/v1/chat/completions?" in error["message"]
