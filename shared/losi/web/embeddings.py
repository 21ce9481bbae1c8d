"""POST /api/v1/embeddings."""

import time
from functools import cache
from typing import TYPE_CHECKING, Annotated

import orjson
from starlette.requests import Request

from losi.dialects.openai import PLAIN
from losi.embeddings.embeddings import PERMISSION, Embeddings
from losi.embeddings.request import EmbeddingInput, EmbeddingRequest, parse_embedding_request
from losi.identity.principal import Principal
from losi.metering.gate import Caller
from losi.upstream.registry import Registry
from losi.upstream.routing import Router
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
from losi.web.formats import EMBEDDING_FORMATS
from losi.web.parsing import read_json
from losi.web.relay import Opened, RelayResponse
from losi.web.responses import render

if TYPE_CHECKING:
    from losi.web.schemas import EmbeddingList


@cache
def embeddings(services: Services) -> Embeddings:
    registry = Registry(EMBEDDING_FORMATS, services.config)
    return Embeddings(services.gate, services.catalogue, Router(registry))


async def create_embeddings(
    http: Annotated[Request, Takes(EmbeddingRequest)],
) -> "Annotated[RelayResponse, Answers(EmbeddingList, metered=True)]":
    """OpenAI's embeddings: one vector for each input, as numbers or as base64 of little-endian
    32-bit floats, which takes a fifth of the space and is what OpenAI's SDKs ask for.
    """
    began = time.monotonic()
    services = services_of(http)
    presented = credential(http)
    principal = await services.gate.authenticate(presented, PERMISSION)
    async with parsing_for(
        services,
        principal,
        lambda: services.gate.authenticate(presented, PERMISSION, fresh=True),
    ):
        request = parse_embedding_request(await read_json(http))
    seconds = seconds_left(http) - (time.monotonic() - began)
    caller = Caller(presented, PERMISSION, request_id(http), seconds)
    # relayed: the vectors of one request may exceed the size of a buffered answer
    opening = _open(services, caller, principal, request)
    return RelayResponse(opening, render, PLAIN, caller.seconds, caller.unfinished)


async def _open(
    services: Services, caller: Caller, principal: Principal, request: EmbeddingInput
) -> Opened:
    with counted_refusals(services, principal):
        answer, headers = await embeddings(services).create(caller, principal, request)
    return orjson.dumps(answer), headers
