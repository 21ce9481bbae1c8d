"""A model's routes: which are taken for a request, in which order, and when to move on.

Before the first chunk a failure is retried (with jittered backoff) and then falls over to the
next route; after it, the stream is the caller's and a failure is theirs to see.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import anyio.to_thread

from losi.catalogue.models import Model, Route
from losi.catalogue.providers import SANDBOX
from losi.errors import (
    InvalidRequestError,
    LosiError,
    Remedy,
    UpstreamError,
    UpstreamUnavailableError,
)
from losi.metering.usage import Usage, from_openai
from losi.observe.request import Attempt, first_chunk
from losi.observe.request import attempt as attempt_on
from losi.time_limit import TimeLimits
from losi.upstream.backoff import ATTEMPTS, pause_before_another
from losi.upstream.batch import Batch, each, says_something
from losi.upstream.format import ACCOUNT, B, Format, UpstreamCall, finished, incomplete
from losi.upstream.health import RouteHealth
from losi.upstream.patience import OutlastedError, Patience
from losi.upstream.reading import ShapeError
from losi.upstream.registry import Registry
from losi.upstream.wishes import IN_WORDS, prepare

if TYPE_CHECKING:
    from losi.wire.chat import Completion
    from losi.wire.chat import Usage as OpenAIUsage

logger = logging.getLogger("losi.routes")


T = TypeVar("T")
#: What the registry makes for a provider, such as a chat format.
P = TypeVar("P")
#: The sandbox's directives may ask for silences of up to a minute.
SANDBOX_ROUTE = Route(
    provider=SANDBOX, model="losi-sandbox", first_chunk_timeout=150, chunk_timeout=90
)


@dataclass(frozen=True, slots=True)
class Prepared(Generic[B]):
    """The body for one route, and the caller's parameters that this route does not take, sorted."""

    body: B
    dropped: tuple[str, ...]
    #: Parameters that are sent with another value.
    mapped: frozenset[str] = frozenset()
    #: As in `UpstreamCall`.
    most_text: int | None = None


class Deviations(NamedTuple):
    """Parameters that a format did not send, and those that it expressed in another way."""

    left_out: frozenset[str] = frozenset()
    mapped: frozenset[str] = frozenset()


class Spent(NamedTuple):
    """A completion that was not what was asked for: nobody gets it, but it is billed."""

    route: Route
    answer: Completion


@dataclass(frozen=True, slots=True)
class Job(Generic[B]):
    """One request on its way to a provider, whatever its endpoint."""

    model_id: str
    routes: list[Route]
    #: Makes the body to send on a route.
    prepare: Callable[[Route], Prepared[B]]
    #: The names of the caller's parameters: only these are reported as dropped.
    sent: Collection[str]
    request_id: str
    #: The deadline, in the loop's time.
    deadline: float
    #: For the record of what failed attempts cost.
    account_id: str = ""
    input_tokens: int = 0
    #: Grows while the request is being routed.
    spent: list[Spent] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answered:
    """Which route answered: for the response headers, the log and the meter."""

    route: Route
    attempts: int
    dropped: tuple[str, ...]
    mapped: tuple[str, ...] = ()


class Router(Generic[P]):
    """Asks a model's routes in turn until one answers."""

    def __init__(
        self,
        registry: Registry[P],
        health: RouteHealth | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._registry = registry
        self._health = health or RouteHealth()
        self._sleep = sleep

    def reachable(self, routes: list[Route]) -> list[Route]:
        """The routes that a provider can answer, or the sandbox's if it stands in for all of
        them.
        """
        found = [route for route in routes if not self._registry.stands_in(route.provider)]
        return found or [SANDBOX_ROUTE]

    async def first_success(
        self, job: Job[B], call: Callable[[P, UpstreamCall[B]], Awaitable[tuple[T, Deviations]]]
    ) -> tuple[T, Answered]:
        """What `call` returns on the first route that answers.

        Raises the first refusal of the request where no route takes it, else the last failure.

        `call` also returns what it did to the caller's parameters.
        """
        healthy = [route for route in job.routes if self._health.is_healthy(route)]
        attempts, failure, refusal = 0, None, None
        for route in healthy or job.routes:  # every route is being skipped: try them anyway
            prepared = job.prepare(route)
            upstream_call = UpstreamCall(prepared.body, route, job.request_id, prepared.most_text)
            for attempt in range(ATTEMPTS):
                attempts += 1
                try:
                    with attempt_on(route.path) as noted:
                        upstream = await self._upstream(route, failure)
                        answer, deviations = await call(upstream, upstream_call)
                except InvalidRequestError as error:  # another provider may accept the request
                    refusal = refusal or error
                    break
                except UpstreamError as error:
                    failure = error
                    self._note(route, error, job, noted)
                    if error.remedy is Remedy.NOTHING or len(job.spent) > 1:
                        raise
                    if not await self._worth_another(error, attempt):
                        break
                else:
                    self._health.succeeded(route)
                    dropped = {*prepared.dropped, *deviations.left_out.intersection(job.sent)}
                    mapped = (prepared.mapped | deviations.mapped).intersection(job.sent) - dropped
                    return answer, Answered(
                        route, attempts, tuple(sorted(dropped)), tuple(sorted(mapped))
                    )
        raise refusal or failure or _no_route(job.model_id)

    async def _upstream(self, route: Route, failure: UpstreamError | None) -> P:
        """The route's provider. Its credentials are read again if it just refused ours."""
        refresh = failure is not None and failure.remedy is Remedy.FRESH_CREDENTIALS
        if not refresh and not self._registry.blocks:
            return self._registry.upstream(route.provider)
        return await anyio.to_thread.run_sync(
            lambda: self._registry.upstream(route.provider, refresh=refresh)
        )

    async def _worth_another(self, error: UpstreamError, attempt: int) -> bool:
        """Whether to try the same route again; if so, wait for the backoff first."""
        if error.remedy in (Remedy.FRESH_CREDENTIALS, Remedy.ASK_AGAIN):
            return attempt + 1 < ATTEMPTS
        pause = pause_before_another(error, attempt)
        if pause is None:
            return False
        await self._sleep(pause)
        return True

    def _note(self, route: Route, error: UpstreamError, job: Job[B], noted: Attempt) -> None:
        """With what the attempt cost: it is recorded, and billed only where the request's own line
        says so.
        """
        if (cost := _cost(error, job)) is not None:
            noted.input_tokens, noted.output_tokens = cost.input_tokens, cost.output_tokens
        if isinstance(cause := error.__cause__, ShapeError):
            logger.warning("%s %s answered another shape: %s", job.request_id, route.path, cause)
        if error.remedy is Remedy.FRESH_CREDENTIALS:
            logger.error(
                "%s refuses our credentials: check %s",
                route.provider.name,
                route.provider.credentials,
            )
        if error.code == ACCOUNT:
            logger.error(
                "%s refuses the account of %s: see its credit, limits and verification",
                route.provider.name,
                route.provider.credentials,
            )
        # rate limits come from heavy users; they must not turn others away
        if (
            error.remedy not in (Remedy.NOTHING, Remedy.ASK_AGAIN)
            and error.code != "upstream_rate_limited"
        ):
            self._health.failed(route)


class ChatRouter(Router[Format]):
    """Routes chat completions, plain and streamed."""

    async def complete(self, job: Job) -> tuple[Completion, Answered]:
        """Return a whole completion, or raise the last route's LosiError."""

        async def call(upstream: Format, call: UpstreamCall) -> tuple[Completion, Deviations]:
            asked = prepare(upstream, call, self._sleep)
            patience = Patience(call.route.answer_timeout, "its answer", call.route, job.deadline)
            try:
                answer = await patience.wait(asked.exchange.complete())
            except UpstreamError as error:
                error.finished = finished(asked.exchange)
                job.spent.extend(Spent(call.route, answer) for answer in error.finished)
                if isinstance(error, OutlastedError):  # asked again, it would answer twice
                    error.remedy = Remedy.NOTHING
                    error.headers["x-should-retry"] = "false"
                    calls = prompts(call.route, call.body.get("n") or 1)
                    error.given_up = calls - len(error.finished)
                raise
            if (unmet := asked.unmet(answer)) is not None:
                job.spent.append(Spent(call.route, answer))
                raise unmet
            return answer, Deviations(asked.exchange.left_out, asked.mapped)

        return await self.first_success(job, call)

    async def stream(self, job: Job) -> tuple[AsyncGenerator[Batch], Answered]:
        """Return a stream whose first content has arrived, or raise the last route's LosiError."""

        async def call(
            upstream: Format, call: UpstreamCall
        ) -> tuple[AsyncGenerator[Batch], Deviations]:
            route, asked = call.route, prepare(upstream, call, self._sleep, stream=True)
            batches = asked.stream()
            patience = Patience(route.first_chunk_timeout, "its first chunk", route, job.deadline)
            begun: list[Batch] = []
            try:
                await patience.wait(_until_content(batches, begun))
            except BaseException as error:
                await batches.aclose()
                if isinstance(error, UpstreamError):
                    error.spent = error.spent or _usage(begun)
                raise
            if not begun:
                raise incomplete(_provider_name(route))
            first_chunk()
            next_chunk = Patience(route.chunk_timeout, "its next chunk", route, job.deadline)
            return _timed(begun, batches, next_chunk), Deviations(
                asked.exchange.left_out, asked.mapped
            )

        return await self.first_success(job, call)


def prompts(route: Route, n: int) -> int:
    """How many times the prompt of a request for `n` choices is sent on this route, and so
    billed.
    """
    return 1 if route.provider.native_n else n


def candidates(
    model: Model,
    features: Collection[str],
    combinations: Collection[str],
    input_tokens: int,
    *,
    test_key: bool,
) -> list[Route]:
    """The routes that can answer a request with these needs, in the catalogue's order; maybe none.

    Test keys reach only the sandbox.
    """
    if test_key:
        return [SANDBOX_ROUTE]
    return [
        route
        for route in model.routes
        if (route.features is None or route.features.issuperset(features))
        and (route.max_input_tokens is None or input_tokens <= route.max_input_tokens)
        and not (route.refuses | route.provider.refuses).difference(IN_WORDS) & {*combinations}
    ]


async def _until_content(batches: AsyncGenerator[Batch], begun: list[Batch]) -> None:
    """Read on until a chunk has content."""
    async for batch in batches:
        if batch:
            begun.append(batch)
        if any(map(says_something, each(batch))):
            return


def _usage(begun: list[Batch]) -> OpenAIUsage | None:
    reported = (chunk.get("usage") for batch in begun for chunk in each(batch))
    return next((usage for usage in reported if usage and isinstance(usage, dict)), None)


async def _timed(
    begun: Sequence[Batch], batches: AsyncGenerator[Batch], patience: Patience
) -> AsyncGenerator[Batch]:
    async with aclosing(batches):
        for batch in begun:
            yield batch
        limits = TimeLimits()
        try:
            while True:
                with limits.until(patience.end()):
                    more = await anext(batches)
                yield more
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise patience.outlasted() from error
        finally:
            limits.close()


def _cost(error: UpstreamError, job: Job[B]) -> Usage | None:
    """The reported usage, or the prompt's if we stopped waiting."""
    reported = from_openai(error.spent)
    if reported is None and isinstance(error, OutlastedError):
        return Usage(job.input_tokens, 0, estimated=True)
    return reported


def _provider_name(route: Route) -> str:
    return route.provider.name


def _no_route(model_id: str) -> LosiError:
    return UpstreamUnavailableError(f"The model '{model_id}' is not available right now.")


def answered_headers(answered: Answered) -> dict[str, str]:
    """`x-losi-*` headers: which route answered, after how many attempts, and what it ignored of the
    request.
    """
    headers = {
        "x-losi-provider": answered.route.provider.id,
        "x-losi-model": answered.route.model,
        "x-losi-attempts": str(answered.attempts),
    }
    if answered.dropped:
        headers["x-losi-dropped-params"] = ", ".join(answered.dropped)
    if answered.mapped:
        headers["x-losi-mapped"] = ", ".join(answered.mapped)
    return headers
