"""Chat completions answered by OpenAI's Responses API.

It is for models that can do more there than in chat completions, such as calling tools while they
reason. The translation is pure, in the neighbouring modules: request, answer, stream.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from losi.catalogue.models import Route
from losi.catalogue.providers import Provider
from losi.errors import LosiError
from losi.upstream.batch import Batch
from losi.upstream.format import UpstreamCall, malformed
from losi.upstream.http import Endpoint
from losi.upstream.openai.refusal import auth_headers, refusal
from losi.upstream.openai.responses import answer
from losi.upstream.openai.responses.request import ResponsesRequest, translate
from losi.upstream.openai.responses.stream import StreamState
from losi.upstream.openai.strict import with_kept_schemas
from losi.upstream.reading import loads
from losi.upstream.registry import Settings
from losi.upstream.sse import batches

if TYPE_CHECKING:
    from losi.wire import JsonObject
    from losi.wire.chat import Chunk, Completion


class OpenAIResponses:
    def __init__(self, provider: Provider, settings: Settings) -> None:
        url = f"{settings.base_url.rstrip('/')}/responses"
        self._endpoint = Endpoint(provider.name, url, auth_headers(provider, settings.key))

    def prepare(self, call: UpstreamCall) -> ResponsesExchange:
        body, mapped = with_kept_schemas(call.body)
        return ResponsesExchange(self._endpoint, call.route, translate(body), mapped)


@dataclass(frozen=True, slots=True)
class ResponsesExchange:
    _endpoint: Endpoint
    _route: Route
    _request: ResponsesRequest
    mapped: frozenset[str] = frozenset()

    @property
    def left_out(self) -> frozenset[str]:
        return self._request.left_out

    async def complete(self) -> Completion:
        response = await self._endpoint.post_json(self._request.body, self._route, self._refusal)
        return answer.completion(response, self._endpoint.provider)

    def stream(self) -> AsyncGenerator[Batch]:
        provider, body = self._endpoint.provider, {**self._request.body, "stream": True}
        return batches(
            self._endpoint.post_stream(body, self._route, self._refusal),
            provider,
            _Reading(provider),
        )

    def _refusal(
        self, status: int, body: JsonObject | None, headers: Mapping[str, str]
    ) -> LosiError:
        return refusal(self._endpoint.provider, status, body, headers)


class _Reading:
    """The chunks of one stream, as `batches` reads them."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._state = StreamState(provider)

    @property
    def finished(self) -> bool:
        return self._state.finished

    is_whole = finished

    def feed(self, data: bytes) -> Iterator[Chunk]:
        event = self._event(data)
        try:
            yield from self._state.feed(event)
        except LosiError:
            yield from self._state.usage_chunks(event)  # reported usage is billed even so
            raise

    def more_text(self, texts: list[str]) -> int:
        """Accepts no texts, because each event has its own number."""
        return 0

    def spent(self) -> list[Chunk]:
        return []

    def _event(self, data: bytes) -> JsonObject:
        try:
            event = loads(data)
        except ValueError as error:
            raise malformed(self._provider) from error
        if not isinstance(event, dict):
            raise malformed(self._provider)
        return event
