"""The use case: admit a chat completion, route it, relay the answer, settle what it used."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import anyio
import anyio.to_thread
import orjson

from losi.catalogue.models import Catalog, Model
from losi.chat.chunks import ChunkStream, completion_usage, openai_usage, public_completion
from losi.chat.prepare import output_limit
from losi.chat.request import ChatRequest
from losi.errors import (
    LosiError,
    ModelNotInPlanError,
    ServerError,
    StaleAuthentication,
    StoreUnavailableError,
    error_event,
)
from losi.identity.authenticator import Authenticator
from losi.identity.principal import Principal
from losi.ids import random_id
from losi.metering import estimate
from losi.metering.ledger import Admission, Hold, Ledger
from losi.metering.usage import Usage
from losi.upstream.routing import Answered, Job, Router, answered_headers, candidates, prompts

logger = logging.getLogger("losi.chat")

Json = dict[str, Any]

PERMISSION = "chat.completions"
DONE = b"data: [DONE]\n\n"
#: A hold outlives its request's deadline by this much, so that clocks may differ by seconds.
HOLD_GRACE_SECONDS = 10.0
SUNSET_NOTICE = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Call:
    """One request as the web layer hands it over; `seconds` is the time it may take."""

    authorization: str | None
    request: ChatRequest
    request_id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Completion:
    body: Json
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class EventStream:
    """`events` must be read to its end even when nobody listens: it meters and settles."""

    events: AsyncGenerator[bytes]
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Admitted:
    model: Model
    admission: Admission
    input_tokens: int
    job: Job

    @property
    def hold(self) -> Hold:
        return self.admission.hold

    @property
    def most_output(self) -> int:
        """Output tokens that providers were told to stop at."""
        return self.job.request.n * output_limit(self.job.request, self.model)

    def estimate(self, answered: Answered) -> int:
        """Input tokens that are paid where the provider tells no figure."""
        return self.input_tokens * prompts(answered.route, self.job.request.n)


class ChatCompletions:
    def __init__(
        self,
        authenticator: Authenticator,
        ledger: Ledger,
        catalog: Catalog,
        router: Router,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._authenticator = authenticator
        self._ledger = ledger
        self._catalog = catalog
        self._router = router
        self._clock = clock

    async def authenticate(self, authorization: str | None, *, fresh: bool = False) -> Principal:
        """Who calls. Raises AuthenticationError or PermissionDeniedError."""
        principal = await anyio.to_thread.run_sync(
            lambda: self._authenticator.authenticate(authorization, fresh=fresh)
        )
        if not fresh and PERMISSION not in principal.permissions:
            # what is cached may be out of date: the permission may have been given since
            return await self.authenticate(authorization, fresh=True)
        principal.require(PERMISSION)
        return principal

    async def complete(self, call: Call, principal: Principal) -> Completion:
        """A plain answer. Raises a LosiError; a failed call is not charged."""
        admitted = await self._admit(call, principal)
        usage: Usage | None = None
        try:
            answer, answered = await self._router.complete(admitted.job)
            counted = completion_usage(answer, admitted.estimate(answered), admitted.most_output)
            body = public_completion(answer, _completion_id(), self._now(), admitted.model.id)
            body["usage"] = openai_usage(answer.get("usage"), counted)
            usage = counted  # only now: what cannot be given is not charged
        except LosiError as error:
            _with_limits(error, admitted)
            raise
        finally:
            await self._settle(admitted.hold, usage, call.request_id)
        self._log(call.request_id, admitted, answered, usage)
        return Completion(body, _headers(admitted, answered, self._today()))

    async def stream(self, call: Call, principal: Principal) -> EventStream:
        """An answer as server-sent events, once its first chunk has arrived.

        Raises a LosiError for all that fails before; what fails later is the last event.
        """
        admitted = await self._admit(call, principal)
        try:
            chunks, answered = await self._router.stream(admitted.job)
        except BaseException as error:
            await self._settle(admitted.hold, None, call.request_id)
            if isinstance(error, LosiError):
                _with_limits(error, admitted)
            raise
        relay = ChunkStream(
            _completion_id(),
            self._now(),
            admitted.model.id,
            include_usage=call.request.include_usage,
            input_tokens=admitted.estimate(answered),
            most_output=admitted.most_output,
        )
        events = self._events(call, admitted, answered, chunks, relay)
        return EventStream(events, _headers(admitted, answered, self._today()))

    async def _events(
        self,
        call: Call,
        admitted: _Admitted,
        answered: Answered,
        chunks: AsyncGenerator[Json],
        relay: ChunkStream,
    ) -> AsyncGenerator[bytes]:
        failure: LosiError | None = None
        whole = False
        try:
            async with aclosing(chunks):
                async for chunk in chunks:
                    public = relay.public(chunk)
                    if public is not None:
                        yield _event(public)
            whole = True
        except LosiError as error:
            failure = error
        except Exception as error:
            logger.error("%s relay failed: %s", call.request_id, type(error).__name__)
            failure = ServerError("The answer could not be relayed to its end. Try again.")
        finally:
            # an answer that has nothing to say is an answer too: its prompt was read
            usage = relay.usage if whole or relay.produced else None
            await self._settle(admitted.hold, usage, call.request_id)
        self._log(call.request_id, admitted, answered, usage, failure)
        if failure is not None:  # no [DONE]: a broken answer must not look whole
            yield _event(error_event(failure))
            return
        if call.request.include_usage:
            yield _event(relay.usage_chunk())
        yield DONE

    async def _admit(self, call: Call, principal: Principal) -> _Admitted:
        deadline = asyncio.get_running_loop().time() + call.seconds
        try:
            return await self._hold(call, principal, deadline)
        except (StaleAuthentication, ModelNotInPlanError):
            # the key or plan changed, or may have, since it was cached: what it is now decides
            principal = await self.authenticate(call.authorization, fresh=True)
        try:
            return await self._hold(call, principal, deadline)
        except StaleAuthentication as error:  # it changed again, within this very request
            raise StoreUnavailableError from error

    async def _hold(self, call: Call, principal: Principal, deadline: float) -> _Admitted:
        request = call.request
        model = self._catalog.find(request.params.model, principal.plan)
        input_tokens = estimate.input_tokens(request.body)
        routes = candidates(request, model, input_tokens, test_key=principal.test)
        limit = output_limit(request, model)
        # the first choice holds up to the plan's cap, or large limits would starve agents; each
        # further one holds all it can have, so that `n` does not multiply what passes the quota
        output = min(limit, principal.plan.hold_output_tokens) + (request.n - 1) * limit
        read = input_tokens * max(prompts(route, request.n) for route in routes)
        expires_at = self._clock() + call.seconds + HOLD_GRACE_SECONDS
        admission = await anyio.to_thread.run_sync(
            lambda: self._ledger.admit(
                principal,
                model.code,
                call.request_id.removeprefix("req_"),
                input_tokens,
                read + output,
                expires_at,
            )
        )
        job = Job(request, model, routes, call.request_id, deadline)
        return _Admitted(model, admission, input_tokens, job)

    async def _settle(self, hold: Hold, usage: Usage | None, request_id: str) -> None:
        """Settle or release, whatever happens around: a cancelled request is metered too."""
        with anyio.CancelScope(shield=True):
            try:
                if usage is None:
                    await anyio.to_thread.run_sync(self._ledger.release, hold)
                else:
                    await anyio.to_thread.run_sync(self._ledger.settle, hold, usage)
            except StoreUnavailableError:
                # the hold stays and is settled at its estimate once it expires; the answer is
                # the caller's, and this line lets the operator set the bill right
                logger.error("%s could not be settled: %s", request_id, usage)

    def _now(self) -> int:
        return int(self._clock())

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock(), UTC).date()

    def _log(
        self,
        request_id: str,
        admitted: _Admitted,
        answered: Answered,
        usage: Usage | None,
        failure: LosiError | None = None,
    ) -> None:
        logger.info(
            "%s account=%s model=%s route=%s/%s attempts=%d usage=%s outcome=%s",
            request_id,
            admitted.hold.account_id,
            admitted.model.id,
            answered.route.provider,
            answered.route.model,
            answered.attempts,
            usage,
            failure.code if failure else "ok",
        )


def _completion_id() -> str:
    return f"chatcmpl-{random_id(24)}"


def _event(data: Json) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"


def _with_limits(error: LosiError, admitted: _Admitted) -> None:
    """Rate limit headers stand on refusals too."""
    error.headers = {**admitted.admission.limits.headers(), **error.headers}


def _headers(admitted: _Admitted, answered: Answered, today: date) -> dict[str, str]:
    headers = {**admitted.admission.limits.headers(), **answered_headers(answered)}
    shutdown = admitted.model.shutdown_date
    if shutdown and shutdown - today <= SUNSET_NOTICE:
        headers["sunset"] = shutdown.strftime("%a, %d %b %Y 00:00:00 GMT")
    return headers
