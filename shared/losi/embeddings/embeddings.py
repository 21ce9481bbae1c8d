"""The use case: admit a request for embeddings, route it, settle what it used."""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from losi.catalogue.models import Catalogue, Model, Route
from losi.embeddings.request import EmbeddingInput
from losi.errors import InvalidRequestError, LosiError
from losi.identity.principal import Principal
from losi.metering.gate import Caller, Demand, Gate
from losi.metering.usage import Usage, from_openai
from losi.upstream.format import Embedder, UpstreamCall
from losi.upstream.patience import Patience
from losi.upstream.routing import (
    Answered,
    Deviations,
    Job,
    Prepared,
    Router,
    answered_headers,
    candidates,
)
from losi.wire import without

if TYPE_CHECKING:
    from losi.wire import embeddings

PERMISSION = "embeddings"


@dataclass(frozen=True, slots=True)
class _Work:
    model: Model
    routes: list[Route]


class Embeddings:
    def __init__(self, gate: Gate, catalogue: Catalogue, router: Router[Embedder]) -> None:
        self._gate = gate
        self._catalogue = catalogue
        self._router = router

    async def create(
        self, caller: Caller, principal: Principal, request: EmbeddingInput
    ) -> tuple[embeddings.Embeddings, dict[str, str]]:
        """The answer and its headers. Raises a LosiError; a failed call is not charged."""
        input_tokens = request.input_tokens

        def demand(principal: Principal) -> Demand[_Work]:
            model = self._catalogue.find(request.params.model, principal.plan, "embedding")
            able = candidates(model, (), (), input_tokens, test_key=principal.test)
            if not able:
                raise InvalidRequestError(
                    f"The model '{model.id}' does not take {input_tokens:,} input tokens at once. "
                    "Send fewer.",
                    param="input",
                    code="unsupported_request",
                )
            routes = self._router.reachable(able)
            return Demand(model, model.code, input_tokens, input_tokens, _Work(model, routes))

        admitted = await self._gate.admit(caller, principal, demand)
        model, usage = admitted.work.model, None
        try:
            job = Job(
                model.id,
                admitted.work.routes,
                lambda route: _prepare(request, route),
                request.body.keys(),
                caller.request_id,
                admitted.deadline,
            )
            answer, answered = await self._ask(job)
            # a vector is no text: there is no output to report
            reported = answer.get("usage")
            parsed = from_openai(
                {**reported, "completion_tokens": 0} if isinstance(reported, dict) else None
            )
            # whatever the provider reports, no input has four times its estimate in tokens
            most = max(model.context_window, 4 * input_tokens)
            read = min(parsed.input_tokens, most) if parsed else input_tokens
            counted = Usage(read, 0, estimated=parsed is None)
            body = _public(answer, model.id, counted, request.params.encoding_format)
            usage = counted
        except LosiError as error:
            error.headers = {**admitted.limits.headers(), **error.headers}
            raise
        finally:
            await admitted.settle(usage)
        return body, {**admitted.limits.headers(), **answered_headers(answered)}

    async def _ask(self, job: Job[embeddings.Request]) -> tuple[embeddings.Embeddings, Answered]:
        async def call(
            upstream: Embedder, call: UpstreamCall[embeddings.Request]
        ) -> tuple[embeddings.Embeddings, Deviations]:
            patience = Patience(call.route.answer_timeout, "its answer", call.route, job.deadline)
            return await patience.wait(upstream.embed(call)), Deviations()

        return await self._router.first_success(job, call)


def _prepare(request: EmbeddingInput, route: Route) -> Prepared[embeddings.Request]:
    refused = route.unsupported_parameters | route.provider.unsupported_parameters
    sent = without(request.body, [name for name, value in request.body.items() if value is None])
    body = without(sent, refused)
    body["model"] = route.model
    return Prepared(body, tuple(sorted(refused & sent.keys())))


def _public(
    answer: embeddings.Embeddings, model_id: str, usage: Usage, encoding: str | None
) -> embeddings.Embeddings:
    """OpenAI's list with the public model name, in the encoding that was asked for."""
    data: list[embeddings.Embedding] = [
        {"object": "embedding", "index": index, "embedding": _encoded(one["embedding"], encoding)}
        for index, one in enumerate(sorted(answer["data"], key=lambda one: one["index"]))
    ]
    counted: embeddings.Usage = {
        "prompt_tokens": usage.input_tokens,
        "total_tokens": usage.input_tokens,
    }
    return {"object": "list", "data": data, "model": model_id, "usage": counted}


def _encoded(vector: list[float] | str, encoding: str | None) -> list[float] | str:
    """Base64 of little-endian 32-bit floats, like OpenAI's, for providers that answer only
    numbers.
    """
    if encoding == "base64" and isinstance(vector, list):
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    return vector
