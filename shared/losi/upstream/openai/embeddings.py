"""Providers that speak OpenAI's embeddings.

https://platform.openai.com/docs/api-reference/embeddings
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from losi.catalogue.providers import Provider
from losi.upstream.format import UpstreamCall, malformed
from losi.upstream.http import Endpoint
from losi.upstream.openai.refusal import auth_headers, refusal
from losi.upstream.registry import Settings

if TYPE_CHECKING:
    from losi.wire import JsonObject, embeddings


class OpenAIEmbeddings:
    def __init__(self, provider: Provider, settings: Settings) -> None:
        url = f"{settings.base_url.rstrip('/')}/embeddings"
        self._endpoint = Endpoint(provider.name, url, auth_headers(provider, settings.key))

    async def embed(self, call: UpstreamCall[embeddings.Request]) -> embeddings.Embeddings:
        """OpenAI's list, one vector for each input. Raises a LosiError when the upstream fails."""
        provider = self._endpoint.provider
        answer = await self._endpoint.post_json(
            call.body,
            call.route,
            lambda status, body, headers: refusal(provider, status, body, headers),
        )
        if answer.get("error"):
            raise refusal(provider, 200, answer, {})
        if not _is_list(answer, call.body["input"]):
            raise malformed(provider)
        return cast("embeddings.Embeddings", answer)  # as far as its vectors go


def _is_list(answer: JsonObject, given: object) -> bool:
    """Whether there is one vector for each input, each with its index."""
    several = isinstance(given, list) and not isinstance(given[0], int)
    wanted = set(range(len(given))) if several and isinstance(given, list) else {0}
    data = answer.get("data")
    return (
        isinstance(data, list)
        and all(isinstance(one, dict) for one in data)
        and len(data) == len(wanted)
        and {one.get("index") for one in data} == wanted
        and all(isinstance(one.get("embedding"), list | str) for one in data)
    )
