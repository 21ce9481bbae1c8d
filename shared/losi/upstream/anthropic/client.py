"""Chat completions through Anthropic's Messages API.

The translation is pure, in the modules beside this one: request (and messages), response, stream.
This module only talks to the network.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from losi.catalogue.models import Route
from losi.catalogue.providers import Provider
from losi.errors import LosiError
from losi.upstream.anthropic import response, shapes
from losi.upstream.anthropic.request import AnthropicRequest, translate
from losi.upstream.anthropic.stream import StreamState
from losi.upstream.batch import Batch
from losi.upstream.format import UpstreamCall, malformed
from losi.upstream.http import Endpoint, Refusal
from losi.upstream.reading import ShapeError, loads
from losi.upstream.registry import Settings
from losi.upstream.sse import batches

if TYPE_CHECKING:
    from losi.wire import JsonObject
    from losi.wire.chat import Chunk, Completion

#: https://platform.claude.com/docs/en/api/versioning
API_VERSION = "2023-06-01"


class AnthropicMessages:
    def __init__(self, provider: Provider, settings: Settings) -> None:
        # other providers' base URLs include the version; Anthropic's is given without it
        url = f"{settings.base_url.rstrip('/').removesuffix('/v1')}/v1/messages"
        headers = {"anthropic-version": API_VERSION, "x-api-key": settings.key}
        self._endpoint = Endpoint(provider.name, url, headers)

    def prepare(self, call: UpstreamCall) -> MessagesExchange:
        return MessagesExchange(self._endpoint, call.route, translate(call.body, call.route))


@dataclass(frozen=True, slots=True)
class MessagesExchange:
    _endpoint: Endpoint
    _route: Route
    _request: AnthropicRequest

    @property
    def left_out(self) -> frozenset[str]:
        return self._request.left_out

    @property
    def mapped(self) -> frozenset[str]:
        return self._request.mapped

    async def complete(self) -> Completion:
        request = self._request
        message = await self._endpoint.post_json(request.body, self._route, self._refusal)
        if message.get("type") == "error":
            raise self._refusal(200, message, {})
        try:
            return response.completion(
                shapes.message(message),
                created=int(time.time()),
            )
        except ShapeError as error:
            spent = response.usage(message.get("usage"))
            raise malformed(self._endpoint.provider, spent) from error

    def stream(self) -> AsyncGenerator[Batch]:
        provider, body = self._endpoint.provider, {**self._request.body, "stream": True}
        return batches(
            self._endpoint.post_stream(body, self._route, self._refusal),
            provider,
            _Reading(StreamState(created=int(time.time())), provider, self._refusal),
        )

    def _refusal(
        self, status: int, body: JsonObject | None, headers: Mapping[str, str]
    ) -> LosiError:
        return response.error(status, body, headers, self._endpoint.provider, self._request)


@dataclass(frozen=True, slots=True)
class _Reading:
    """The chunks of one stream, as `batches` reads them."""

    _state: StreamState
    _provider: str
    _refusal: Refusal

    @property
    def finished(self) -> bool:
        return self._state.finished

    is_whole = finished

    def feed(self, data: bytes) -> list[Chunk]:
        try:
            value = loads(data)
        except ValueError as error:
            raise malformed(self._provider) from error
        if isinstance(value, dict) and value.get("type") == "error":
            raise self._refusal(200, value, {})
        try:
            event = shapes.event(value)
            return [] if event is None else self._state.feed(event)
        except ShapeError as error:
            raise malformed(self._provider) from error

    def more_text(self, texts: list[str]) -> int:
        return self._state.more_text(texts)

    def spent(self) -> list[Chunk]:
        return self._state.usage_chunks()
