"""POST /api/v1/chat/completions."""

import time
from functools import cache
from typing import TYPE_CHECKING, Annotated

from starlette.requests import Request

from losi.chat.completions import Call, ChatCompletions
from losi.chat.request import ChatCompletionRequest, parse_chat_request
from losi.dialects import openai_chat
from losi.dialects.openai import EVENT_STREAM, PLAIN
from losi.identity.principal import Principal
from losi.upstream.registry import Registry
from losi.upstream.routing import ChatRouter
from losi.web.credentials import credential
from losi.web.dependencies import (
    Services,
    counted_refusals,
    parsing_for,
    request_id,
    seconds_left,
    services_of,
)
from losi.web.endpoints import Answers, Takes
from losi.web.formats import FORMATS
from losi.web.parsing import read_json
from losi.web.relay import Opened, Pieces, RelayResponse
from losi.web.responses import render

if TYPE_CHECKING:
    from losi.web.schemas import ChatCompletion, ChatCompletionChunk


@cache
def chat_completions(services: Services) -> ChatCompletions:
    registry = Registry(FORMATS, services.config)
    return ChatCompletions(services.gate, services.catalogue, ChatRouter(registry))


async def create_chat_completion(
    http: Annotated[Request, Takes(ChatCompletionRequest)],
) -> "Annotated[RelayResponse, Answers(ChatCompletion, ChatCompletionChunk, metered=True)]":
    """Create a chat completion for the given messages.

    It is OpenAI's, plain or as server-sent events with `"stream": true`: `data:` lines
    with one chunk each, and `data: [DONE]` last. A stream that breaks ends with a `data:` line that
    holds an error, without `[DONE]`.
    """
    began = time.monotonic()
    services = services_of(http)
    chat = chat_completions(services)
    caller = credential(http)
    principal = await chat.authenticate(caller)
    async with parsing_for(services, principal, lambda: chat.authenticate(caller, fresh=True)):
        request = parse_chat_request(await read_json(http))
    seconds = seconds_left(http) - (time.monotonic() - began)
    call = Call(caller, request, request_id(http), seconds)
    if request.params.stream:
        opening, form = _open_stream(services, call, principal), EVENT_STREAM
    else:
        opening, form = _open_plain(services, call, principal), PLAIN
    return RelayResponse(opening, render, form, seconds, call.unfinished)


async def _open_stream(services: Services, call: Call, principal: Principal) -> Opened:
    with counted_refusals(services, principal):
        stream = await chat_completions(services).stream(call, principal)
    written = openai_chat.EventStream(include_usage=call.request.include_usage).written
    return Pieces(stream.events, written), stream.headers


async def _open_plain(services: Services, call: Call, principal: Principal) -> Opened:
    with counted_refusals(services, principal):
        completion = await chat_completions(services).complete(call, principal)
    return openai_chat.render(completion), completion.headers
