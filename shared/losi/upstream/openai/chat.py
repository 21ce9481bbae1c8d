"""Providers that speak OpenAI's chat completions. Answers pass through, in OpenAI's types.

https://platform.openai.com/docs/api-reference/chat; providers.toml says how providers differ.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from losi.catalogue.models import Route
from losi.catalogue.providers import Provider
from losi.errors import LosiError
from losi.upstream.batch import Batch
from losi.upstream.format import UpstreamCall, incomplete, malformed
from losi.upstream.http import Endpoint
from losi.upstream.openai import answers
from losi.upstream.openai.refusal import auth_headers, refusal
from losi.upstream.openai.request import request_body
from losi.upstream.openai.strict import with_kept_schemas
from losi.upstream.reading import loads
from losi.upstream.registry import Settings
from losi.upstream.sse import batches
from losi.wire import without

if TYPE_CHECKING:
    from losi.wire import JsonObject
    from losi.wire.chat import Chunk, Completion, Request, StreamOptions

#: Finish reasons of an answer that failed half-way: https://docs.mistral.ai/api (error), vLLM
#: (abort), https://api-docs.deepseek.com/api/create-chat-completion (the last).
_BROKEN_OFF = {"error", "abort", "insufficient_system_resource"}


class OpenAIChat:
    def __init__(self, provider: Provider, settings: Settings) -> None:
        self._provider = provider
        url = f"{settings.base_url.rstrip('/')}/chat/completions"
        self._endpoint = Endpoint(provider.name, url, auth_headers(provider, settings.key))

    def prepare(self, call: UpstreamCall) -> ChatExchange:
        body, mapped = call.body, frozenset[str]()
        if self._provider.strict_schemas == "openai":
            body, mapped = with_kept_schemas(body)
        body = request_body(self._provider, body)
        return ChatExchange(self._provider, self._endpoint, call.route, body, mapped)


@dataclass(frozen=True, slots=True)
class ChatExchange:
    _provider: Provider
    _endpoint: Endpoint
    _route: Route
    body: Request
    mapped: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()  # the row's unsupported_parameters name it already

    async def complete(self) -> Completion:
        body = without(self.body, ("stream_options",))
        answer = await self._endpoint.post_json(body, self._route, self._refusal)
        if answer.get("error"):
            raise self._refusal(200, answer, {})
        if not _is_completion(answer):
            raise malformed(self._provider.name, answer.get("usage"))
        if _is_broken_off(answer):
            raise incomplete(self._provider.name, spent=answer.get("usage"))
        return answers.completion(answer, named=self._named)

    def stream(self) -> AsyncGenerator[Batch]:
        body: Request = {**self.body, "stream": True}
        if self._provider.stream_options:
            options: StreamOptions = self.body.get("stream_options") or {}
            body["stream_options"] = {**options, "include_usage": True}
        return batches(
            self._endpoint.post_stream(body, self._route, self._refusal),
            self._provider.name,
            _Reading(self._provider.name, named=self._named),
        )

    @property
    def _named(self) -> bool:
        return isinstance(self.body.get("tool_choice"), dict)

    def _refusal(
        self, status: int, body: JsonObject | None, headers: Mapping[str, str]
    ) -> LosiError:
        return refusal(self._provider.name, status, body, headers)


class _Reading:
    """The chunks of one stream, as `batches` reads them."""

    def __init__(self, provider: str, *, named: bool) -> None:
        self.finished = False
        self._provider = provider
        self._chunks = answers.Chunks(named=named)

    @property
    def is_whole(self) -> bool:
        return self._chunks.is_finished

    def feed(self, data: bytes) -> Iterator[Chunk]:
        if data.strip() == b"[DONE]":
            self.finished = True
        elif (chunk := self._chunk(data)) is not None:
            if (fault := self._fault(chunk)) is not None:
                answers.hoist_usage(chunk)
                if chunk.get("usage"):  # reported usage is billed, however the stream ended
                    yield cast("Chunk", {**chunk, "choices": []})
                raise fault
            yield self._chunks.read(chunk)

    def more_text(self, texts: list[str]) -> int:
        return self._chunks.more_text(texts)

    def spent(self) -> list[Chunk]:
        return []

    def _chunk(self, data: bytes) -> JsonObject | None:
        """The chunk of an event; None if the event has no content."""
        try:
            chunk = loads(data, pieces=True)
        except ValueError as error:
            raise malformed(self._provider) from error
        if not chunk:
            return None
        if not isinstance(chunk, dict):
            raise malformed(self._provider)
        if chunk.get("error"):
            raise refusal(self._provider, 200, chunk, {})
        return chunk

    def _fault(self, chunk: JsonObject) -> LosiError | None:
        if not isinstance(chunk.get("choices") or [], list):
            return malformed(self._provider)
        return incomplete(self._provider) if _is_broken_off(chunk) else None


def _is_completion(answer: JsonObject) -> bool:
    choices = answer.get("choices")
    return (
        isinstance(choices, list)
        and bool(choices)
        and all(isinstance(c, dict) and isinstance(c.get("message"), dict) for c in choices)
    )


def _is_broken_off(answer: JsonObject) -> bool:
    return any(str(choice.get("finish_reason")) in _BROKEN_OFF for choice in _choices(answer))


def _choices(answer: JsonObject) -> list[JsonObject]:
    return [choice for choice in answer.get("choices") or () if isinstance(choice, dict)]
