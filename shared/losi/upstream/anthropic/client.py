"""Anthropic's Messages API behind OpenAI's chat completions.

The translation is pure and lives beside this module: request (and messages),
anthropic_response, anthropic_stream. Here is only what talks to the network.
"""

import time
from collections.abc import AsyncGenerator, Mapping

import orjson

from losi.errors import LosiError
from losi.upstream.anthropic import response
from losi.upstream.anthropic.request import AnthropicRequest, translate
from losi.upstream.anthropic.stream import StreamState
from losi.upstream.format import Json, UpstreamCall, incomplete, malformed
from losi.upstream.http import Refusal, finish, post_json, post_stream
from losi.upstream.sse import events

#: https://platform.claude.com/docs/en/api/versioning
API_VERSION = "2023-06-01"

#: What the translators raise for an answer that is not in Anthropic's format.
_NOT_ANTHROPIC = (KeyError, TypeError, ValueError, AttributeError)


class AnthropicMessages:
    native_n = False

    def __init__(self, provider: str, base_url: str, api_key: str) -> None:
        self._provider = provider
        # the base URL of other providers ends with their version; this one's is given without
        self._url = f"{base_url.rstrip('/').removesuffix('/v1')}/v1/messages"
        self._headers = {"anthropic-version": API_VERSION, "x-api-key": api_key}

    async def complete(self, call: UpstreamCall) -> Json:
        request = _translated(call)
        message = await post_json(
            self._url,
            self._headers,
            request.body,
            call.route,
            self._provider,
            self._refusal(request),
        )
        if message.get("type") == "error":
            raise response.error(200, message, {}, self._provider, request)
        try:
            return response.completion(
                message, created=int(time.time()), legacy_functions=request.legacy_functions
            )
        except _NOT_ANTHROPIC as error:
            raise malformed(self._provider) from error

    async def stream(self, call: UpstreamCall) -> AsyncGenerator[Json]:
        request = _translated(call)
        body = {**request.body, "stream": True}
        state = StreamState(created=int(time.time()), legacy_functions=request.legacy_functions)
        async with post_stream(
            self._url, self._headers, body, call.route, self._provider, self._refusal(request)
        ) as chunks:
            async for _, data in events(chunks, self._provider):
                for chunk in self._feed(state, data, request):
                    yield chunk
                if state.finished:
                    await finish(chunks)
                    return
        for chunk in state.usage_chunks():
            yield chunk
        raise incomplete(self._provider)

    def _feed(self, state: StreamState, data: bytes, request: AnthropicRequest) -> list[Json]:
        try:
            event = orjson.loads(data)
            if event["type"] != "error":
                return state.feed(event)
        except _NOT_ANTHROPIC as error:
            raise malformed(self._provider) from error
        raise response.error(200, event, {}, self._provider, request)

    def _refusal(self, request: AnthropicRequest) -> Refusal:
        def refusal(status: int, body: Json | None, headers: Mapping[str, str]) -> LosiError:
            return response.error(status, body, headers, self._provider, request)

        return refusal


def _translated(call: UpstreamCall) -> AnthropicRequest:
    request = translate(call.body, call.route)
    call.left_out.update(request.left_out)
    return request
