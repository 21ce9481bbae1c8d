"""The use case: admit a chat completion, route it, relay the answer, settle its usage."""

from __future__ import annotations

import logging
import time
from asyncio import Task
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from losi.catalogue.models import Catalogue, Model, Route
from losi.chat.chunks import (
    ChunkStream,
    TokenBounds,
    completion_usage,
    openai_usage,
    public_completion,
)
from losi.chat.needs import routes_for
from losi.chat.prepare import output_limit, prepare, thinking_room
from losi.chat.request import ChatRequest
from losi.errors import LosiError, ServerError, UpstreamError, place
from losi.identity.principal import Principal
from losi.identity.session import Credential
from losi.ids import random_id
from losi.metering import estimate
from losi.metering.gate import Caller, Demand, Gate, Metered
from losi.metering.usage import Usage
from losi.observe.request import failed, upstream_ended
from losi.upstream.batch import Batch
from losi.upstream.routing import (
    SANDBOX_ROUTE,
    Answered,
    ChatRouter,
    Job,
    Spent,
    answered_headers,
    prompts,
)

if TYPE_CHECKING:
    from losi.wire.chat import Chunk
    from losi.wire.chat import Completion as Body

logger = logging.getLogger("losi.chat")


PERMISSION = "chat.completions"
#: The model code of the sandbox's answers in usage. No model has this code.
SANDBOX = "sandbox"
SUNSET_NOTICE = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Call:
    """One request from the web layer; `seconds` is the time it may take."""

    credential: Credential
    request: ChatRequest
    request_id: str
    seconds: float
    #: Settlements that outlast the answer; await them before the process may stop.
    unfinished: list[Task[None]] = field(default_factory=list)

    @property
    def caller(self) -> Caller:
        return Caller(self.credential, PERMISSION, self.request_id, self.seconds, self.unfinished)


@dataclass(frozen=True, slots=True)
class Completion:
    body: Body
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class End:
    """How a stream ended: the chunk with its usage, and the failure, if any."""

    usage_chunk: Chunk
    failure: LosiError | None = None


@dataclass(frozen=True, slots=True)
class ChunkEvents:
    """`events` are batches of OpenAI chunks; the last event is an End.

    They must be read to the end even if nobody listens: reading them meters and settles.
    """

    events: AsyncGenerator[Batch | End]
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Work:
    """The request, its model, and the routes that can answer it."""

    model: Model
    request: ChatRequest
    routes: list[Route]
    input_tokens: int
    #: Output tokens held for one choice.
    held_output: int

    def bounds(self, route: Route) -> TokenBounds:
        """A call to the route's provider, with the most that it can have used."""
        if route is SANDBOX_ROUTE:  # no bounds: directives may report any figures, to try them out
            return TokenBounds(self.input_tokens)
        choices = self.request.n // prompts(route, self.request.n)
        # a route may read more than the model declares, but no text has four times its estimate
        most = max(self.model.context_window, 4 * _read(self.request, route, self.input_tokens))
        output = output_limit(self.request, self.model) + thinking_room(self.request, route)
        return TokenBounds(self.input_tokens, most, choices * output)

    def usage(self, spent: Spent) -> Usage:
        calls = min(prompts(spent.route, self.request.n), len(spent.answer["choices"]))
        return completion_usage(spent.answer, self.bounds(spent.route), calls)

    def billed(self, job: Job, failure: LosiError | None) -> Usage | None:
        """The usage billed for a failed request: of answers that arrived, and of calls we gave up
        on.
        """
        billed = [self.usage(spent) for spent in job.spent]
        if isinstance(failure, UpstreamError) and failure.given_up:
            choices = self.request.n - len(failure.finished)
            output = choices * self.held_output
            billed.append(Usage(failure.given_up * self.input_tokens, output, estimated=True))
        return sum(billed, Usage(0, 0)) if billed else None

    def job(self, request_id: str, account_id: str, deadline: float) -> Job:
        return Job(
            self.model.id,
            self.routes,
            lambda route: prepare(self.request, self.model, route, self.input_tokens),
            self.request.body.keys(),
            request_id,
            deadline,
            account_id,
            self.input_tokens,
        )


_Admitted = Metered[_Work]


class ChatCompletions:
    def __init__(
        self,
        gate: Gate,
        catalogue: Catalogue,
        router: ChatRouter,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._gate = gate
        self._catalogue = catalogue
        self._router = router
        self._clock = clock

    async def authenticate(self, credential: Credential, *, fresh: bool = False) -> Principal:
        """Return the caller. Raises AuthenticationError or PermissionDeniedError."""
        return await self._gate.authenticate(credential, PERMISSION, fresh=fresh)

    async def complete(self, call: Call, principal: Principal) -> Completion:
        """A plain answer. Raises a LosiError. Who pays for failures: docs/ledger.md."""
        admitted = await self._admit(call, principal)
        work = admitted.work
        job = work.job(call.request_id, admitted.account_id, admitted.deadline)
        usage: Usage | None = None
        failure: LosiError | None = None
        try:
            answer, answered = await self._router.complete(job)
            counted = sum(
                [work.usage(spent) for spent in job.spent],
                work.usage(Spent(answered.route, answer)),
            )
            body = public_completion(answer, _completion_id(), self._now(), work.model.id)
            body["usage"] = openai_usage(answer.get("usage"), counted)
            usage = counted  # set last: what cannot be delivered is not charged
        except LosiError as error:
            failure = error
            _with_limits(error, admitted)
            raise
        finally:
            if usage is None:
                usage = work.billed(job, failure)
            await admitted.settle(usage)
        return Completion(body, _headers(admitted, answered, self._today()))

    async def stream(self, call: Call, principal: Principal) -> ChunkEvents:
        """An answer in chunks; returns when its first chunk has arrived.

        Raises a LosiError for any failure before that; a later failure is in the End.
        """
        admitted = await self._admit(call, principal)
        work = admitted.work
        try:
            job = work.job(call.request_id, admitted.account_id, admitted.deadline)
            batches, answered = await self._router.stream(job)
        except BaseException as error:
            await admitted.settle(None)
            if isinstance(error, LosiError):
                _with_limits(error, admitted)
            raise
        relay = ChunkStream(
            _completion_id(),
            self._now(),
            work.model.id,
            include_usage=call.request.include_usage,
            bounds=work.bounds(answered.route),
            prompts=prompts(answered.route, call.request.n),
        )
        events = self._events(call.request_id, admitted, batches, relay)
        return ChunkEvents(events, _headers(admitted, answered, self._today()))

    async def _events(
        self,
        request_id: str,
        admitted: _Admitted,
        batches: AsyncGenerator[Batch],
        relay: ChunkStream,
    ) -> AsyncGenerator[Batch | End]:
        failure: LosiError | None = None
        whole = False
        try:
            async with aclosing(batches):
                async for batch in batches:
                    if public := relay.batch(batch):
                        yield public
            whole = True
        except LosiError as error:
            failure = error
        except Exception as error:
            name = type(error).__name__
            logger.error("%s relay failed: %s at %s", request_id, name, place(error))
            failure = ServerError("The answer could not be relayed to its end. Try again.")
        finally:
            upstream_ended()
            # an empty answer is an answer too: its prompt was read
            known = relay.usage if whole else relay.broken_off_usage
            usage = known if whole or relay.produced else None
            await admitted.settle(usage)
        if failure is not None:
            failed(failure)
        yield End(relay.usage_chunk(), failure)

    async def _admit(self, call: Call, principal: Principal) -> _Admitted:
        return await self._gate.admit(
            call.caller, principal, lambda caller: self._demand(call.request, caller)
        )

    def _demand(self, request: ChatRequest, principal: Principal) -> Demand[_Work]:
        model = self._catalogue.find(request.params.model, principal.plan, "chat")
        input_tokens = estimate.input_tokens(request.body)
        input_tokens += estimate.text_tokens(model.system_prompt or "")
        others = self._catalogue.of_plan(principal.plan, "chat")
        able = routes_for(request, model, others, input_tokens, test_key=principal.test)
        routes = self._router.reachable(able)
        room = max(thinking_room(request, route) for route in routes)
        limit = output_limit(request, model) + room
        # The first choice holds at most the plan's cap: with large limits, agents would find no
        # room. Each further choice holds all it can use, so that `n` does not multiply what passes
        # the quota.
        held_output = min(limit, principal.plan.hold_output_tokens)
        output = held_output + (request.n - 1) * limit
        read = max(
            _read(request, route, input_tokens) * prompts(route, request.n) for route in routes
        )
        work = _Work(model, request, routes, input_tokens, held_output)
        # usage names the sandbox where it answers, so that free answers get no price
        stands_in = routes[0] is SANDBOX_ROUTE and not principal.test
        code = SANDBOX if stands_in else model.code
        return Demand(model, code, input_tokens, read + output, work)

    def _now(self) -> int:
        return int(self._clock())

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock(), UTC).date()


def _read(request: ChatRequest, route: Route, input_tokens: int) -> int:
    """Input tokens of one call, including the provider's own prompt about tools."""
    has_tools = request.params.tools or request.body.get("functions")
    own = route.provider.tools_tokens if has_tools else 0
    return input_tokens + own


def _completion_id() -> str:
    return f"chatcmpl-{random_id(24)}"


def _with_limits(error: LosiError, admitted: _Admitted) -> None:
    """Add the rate limit headers to a refusal."""
    error.headers = {**admitted.limits.headers(), **error.headers}


def _headers(admitted: _Admitted, answered: Answered, today: date) -> dict[str, str]:
    headers = {**admitted.limits.headers(), **answered_headers(answered)}
    shutdown = admitted.work.model.shutdown_date
    if shutdown and shutdown - today <= SUNSET_NOTICE:
        headers["sunset"] = shutdown.strftime("%a, %d %b %Y 00:00:00 GMT")
    return headers
