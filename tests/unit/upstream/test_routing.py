"""Routes: what is retried, what falls over to the next route, and what the caller gets to see."""

import asyncio
import gc
import weakref
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from losi.catalogue.models import Route
from losi.catalogue.providers import Provider
from losi.config import Config
from losi.errors import (
    InvalidRequestError,
    LosiError,
    Remedy,
    UpstreamError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from losi.upstream.backoff import ATTEMPTS, LONGEST_BACKOFF_SECONDS
from losi.upstream.batch import Batch
from losi.upstream.format import Format, UpstreamCall, upstream_error
from losi.upstream.health import FAILURES, SKIP_SECONDS, RouteHealth
from losi.upstream.registry import Registry
from losi.upstream.routing import (
    Answered,
    ChatRouter,
    Job,
    Prepared,
    answered_headers,
    prompts,
)
from tests.catalogue import PROVIDERS
from tests.fake_format import FakeExchange, chunks_of
from tests.loose import Json, loose

Step = LosiError | list[Json]
HELLO = {"index": 0, "delta": {"content": "Hello"}, "finish_reason": "stop"}
ANSWER: list[Json] = [{"choices": [HELLO]}]


class FakeFormat:
    """Plays one step a call; the last one again and again."""

    left_out: frozenset[str] = frozenset()

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.calls: list[UpstreamCall] = []

    def prepare(self, call: UpstreamCall) -> FakeExchange:
        return FakeExchange(self, call, self.left_out)

    def _step(self, call: UpstreamCall) -> list[Json]:
        self.calls.append(call)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, LosiError):
            raise step
        return step

    async def complete(self, call: UpstreamCall) -> Json:
        return self._step(call)[0]

    async def stream(self, call: UpstreamCall) -> AsyncGenerator[Json]:
        for chunk in self._step(call):
            yield chunk


class Silent(FakeFormat):
    """Never answers."""

    async def complete(self, call: UpstreamCall) -> Json:
        self.calls.append(call)
        await asyncio.Event().wait()
        return {}

    async def stream(self, call: UpstreamCall) -> AsyncGenerator[Json]:
        yield await self.complete(call)


class FakeRegistry(Registry[Format]):
    def __init__(self, **providers: FakeFormat) -> None:
        super().__init__({}, Config())
        self.providers = providers
        self.refreshed: list[str] = []

    def upstream(self, provider: Provider, *, refresh: bool = False) -> Format:
        if refresh:
            self.refreshed.append(provider.id)
        return self.providers[provider.id]


class Naps:
    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


def route(provider: str, **fields: Any) -> Route:
    return Route(provider=PROVIDERS[provider], model=f"{provider}-model", **fields)


def job(*routes: Route, seconds: float = 60) -> Job:
    body = {"messages": [{"role": "user", "content": "Hi"}], "seed": 1}
    deadline = asyncio.get_running_loop().time() + seconds

    def prepare(route: Route) -> Prepared:
        return Prepared(loose({**body, "model": route.model}), ())

    return Job("m", list(routes), prepare, body.keys(), "req_1", deadline)


async def read(batches: AsyncGenerator[Batch]) -> list[Json]:
    return [chunk async for chunk in chunks_of(batches)]


async def test_the_first_route_answers() -> None:
    openai, anthropic = FakeFormat(ANSWER), FakeFormat(ANSWER)
    router = ChatRouter(FakeRegistry(openai=openai, anthropic=anthropic))

    chunks, answered = await router.stream(job(route("openai"), route("anthropic")))

    assert await read(chunks) == ANSWER
    assert (answered.route.provider.id, answered.attempts) == ("openai", 1)
    assert not anthropic.calls


async def test_what_the_provider_left_out_is_told_if_the_caller_sent_it() -> None:
    class Choosy(FakeFormat):
        left_out = frozenset({"seed", "temperature"})  # the second is a default of ours

    _, answered = await ChatRouter(FakeRegistry(openai=Choosy(ANSWER))).complete(
        job(route("openai"))
    )

    assert answered.dropped == ("seed",)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
async def test_a_passing_failure_is_tried_again_on_the_same_route(status: int) -> None:
    openai = FakeFormat(upstream_error(status, "OpenAI"), ANSWER)
    naps = Naps()
    router = ChatRouter(FakeRegistry(openai=openai), sleep=naps)

    _, answered = await router.stream(job(route("openai")))

    assert answered.attempts == 2
    assert len(naps.taken) == 1


@pytest.mark.parametrize("seconds", [1.5, LONGEST_BACKOFF_SECONDS])
async def test_the_backoff_is_what_the_provider_asked_for(seconds: float) -> None:
    naps = Naps()
    openai = FakeFormat(upstream_error(429, "OpenAI", retry_after=seconds), ANSWER)

    await ChatRouter(FakeRegistry(openai=openai), sleep=naps).stream(job(route("openai")))

    assert naps.taken == [seconds]


async def test_a_provider_that_asks_for_a_long_pause_is_left_for_the_next_route() -> None:
    naps = Naps()
    openai = FakeFormat(upstream_error(429, "OpenAI", retry_after=60))
    providers = FakeRegistry(openai=openai, anthropic=FakeFormat(ANSWER))

    _, answered = await ChatRouter(providers, sleep=naps).stream(
        job(route("openai"), route("anthropic"))
    )

    assert answered.route.provider.id == "anthropic"
    assert naps.taken == [] and len(openai.calls) == 1


async def test_a_route_that_stays_down_falls_over_to_the_next_also_when_not_streaming() -> None:
    openai = FakeFormat(upstream_error(529, "OpenAI"))
    providers = FakeRegistry(openai=openai, anthropic=FakeFormat(ANSWER))

    _, answered = await ChatRouter(providers, sleep=Naps()).complete(
        job(route("openai"), route("anthropic"))
    )

    assert (answered.route.provider.id, answered.attempts) == ("anthropic", ATTEMPTS + 1)


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_refusal_of_the_request_is_not_repeated_but_the_next_route_is_asked(
    status: int,
) -> None:
    openai, anthropic = FakeFormat(upstream_error(status, "X")), FakeFormat(ANSWER)
    health = RouteHealth()
    router = ChatRouter(FakeRegistry(openai=openai, anthropic=anthropic), health)

    _, answered = await router.stream(job(route("openai"), route("anthropic")))

    assert answered.route.provider.id == "anthropic"
    assert len(openai.calls) == 1
    assert health.is_healthy(route("openai"))


@pytest.mark.parametrize("last", [400, 503])
async def test_where_no_route_takes_the_request_the_first_refusal_is_told(last: int) -> None:
    refused = upstream_error(400, "OpenAI", message="No such image.", param="messages")
    openai, anthropic = FakeFormat(refused), FakeFormat(upstream_error(last, "Anthropic"))
    router = ChatRouter(FakeRegistry(openai=openai, anthropic=anthropic), sleep=Naps())

    with pytest.raises(InvalidRequestError) as caught:
        await router.stream(job(route("openai"), route("anthropic")))

    assert caught.value is refused


async def test_when_every_route_fails_the_last_failure_is_told() -> None:
    first, second = upstream_error(500, "First"), upstream_error(503, "Second")
    providers = FakeRegistry(openai=FakeFormat(first), anthropic=FakeFormat(second))

    with pytest.raises(UpstreamUnavailableError, match="Second"):
        await ChatRouter(providers, sleep=Naps()).stream(job(route("openai"), route("anthropic")))


async def test_a_provider_without_credentials_is_left_at_once_and_no_secret_read_for_it() -> None:
    missing = UpstreamUnavailableError("not set up", remedy=Remedy.NEXT_ROUTE)
    registry = FakeRegistry(openai=FakeFormat(missing), anthropic=FakeFormat(ANSWER))

    _, answered = await ChatRouter(registry).stream(job(route("openai"), route("anthropic")))

    assert (answered.route.provider.id, answered.attempts) == ("anthropic", 2)
    assert registry.refreshed == []


async def test_the_operator_is_told_which_credentials_a_provider_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry = FakeRegistry(openai=FakeFormat(upstream_error(401, "OpenAI")))

    with pytest.raises(UpstreamUnavailableError):
        await ChatRouter(registry).stream(job(route("openai")))

    assert "OpenAI refuses our credentials: check LOSI_OPENAI_API_KEY" in caplog.text


async def test_credentials_that_a_provider_refuses_are_read_again_once() -> None:
    registry = FakeRegistry(openai=FakeFormat(upstream_error(401, "OpenAI"), ANSWER))
    naps = Naps()

    await ChatRouter(registry, sleep=naps).stream(job(route("openai")))

    assert registry.refreshed == ["openai"]
    assert naps.taken == []


async def test_a_failure_after_the_first_chunk_is_not_retried() -> None:
    class Breaks(FakeFormat):
        async def stream(self, call: UpstreamCall) -> AsyncGenerator[Json]:
            self.calls.append(call)
            yield ANSWER[0]
            raise upstream_error(500, "OpenAI")

    openai = Breaks(ANSWER)
    chunks, _ = await ChatRouter(FakeRegistry(openai=openai)).stream(job(route("openai")))

    with pytest.raises(UpstreamError):
        await read(chunks)
    assert len(openai.calls) == 1


@pytest.mark.parametrize("chunks", [1, 2])
async def test_who_gives_a_stream_up_is_forgotten(chunks: int) -> None:
    """After the chunks that were there before the stream was, and after later ones."""
    batches, _ = await ChatRouter(FakeRegistry(openai=FakeFormat(ANSWER * 3))).stream(
        job(route("openai"))
    )

    async def gives_up() -> None:
        for _ in range(chunks):
            await anext(batches)
        await batches.aclose()

    reader = asyncio.create_task(gives_up())
    await reader
    forgotten = weakref.ref(reader)
    del reader
    await asyncio.sleep(0)  # lets the loop forget whom it woke
    gc.collect()

    assert forgotten() is None


async def test_an_empty_stream_is_incomplete_and_tried_again() -> None:
    openai = FakeFormat([], ANSWER)

    _, answered = await ChatRouter(FakeRegistry(openai=openai), sleep=Naps()).stream(
        job(route("openai"))
    )

    assert answered.attempts == 2


async def test_a_silent_provider_times_out_and_the_next_route_answers() -> None:
    providers = FakeRegistry(openai=Silent(), anthropic=FakeFormat(ANSWER))
    slow = route("openai", first_chunk_timeout=0.01)

    _, answered = await ChatRouter(providers, sleep=Naps()).stream(job(slow, route("anthropic")))

    assert answered.route.provider.id == "anthropic"


async def test_at_the_deadline_nothing_more_is_tried() -> None:
    anthropic = FakeFormat(ANSWER)
    router = ChatRouter(FakeRegistry(openai=Silent(), anthropic=anthropic))

    with pytest.raises(UpstreamTimeoutError) as caught:
        await router.stream(job(route("openai"), route("anthropic"), seconds=0.01))

    assert caught.value.code == "deadline_exceeded"
    assert not anthropic.calls


async def test_a_route_that_keeps_failing_is_skipped_for_a_while_and_then_tried_again() -> None:
    now = [0.0]
    health = RouteHealth(clock=lambda: now[0])
    openai = FakeFormat(upstream_error(500, "OpenAI"))
    router = ChatRouter(FakeRegistry(openai=openai, anthropic=FakeFormat(ANSWER)), health, Naps())
    ask: Callable[[], Any] = lambda: router.stream(job(route("openai"), route("anthropic")))  # noqa: E731

    while len(openai.calls) < FAILURES:
        await ask()
    failed = len(openai.calls)
    _, answered = await ask()
    assert (answered.route.provider.id, len(openai.calls)) == ("anthropic", failed)

    now[0] += SKIP_SECONDS
    openai.steps = [ANSWER]
    _, answered = await ask()
    assert answered.route.provider.id == "openai"


async def test_when_all_routes_are_ill_they_are_tried_all_the_same() -> None:
    health = RouteHealth(clock=lambda: 0.0)
    for _ in range(FAILURES):
        health.failed(route("openai"))

    _, answered = await ChatRouter(FakeRegistry(openai=FakeFormat(ANSWER)), health).stream(
        job(route("openai"))
    )

    assert answered.attempts == 1


@pytest.mark.parametrize(("native", "paid"), [("openai", 1), ("anthropic", 3)])
def test_a_prompt_is_paid_as_often_as_it_is_sent(native: str, paid: int) -> None:
    assert prompts(route(native), 3) == paid


def test_what_answered_stands_in_the_headers() -> None:
    plain = Answered(route("openai"), 2, ())
    named = Answered(route("openai"), 1, ("seed", "user"), ("stop", "tools"))

    assert answered_headers(plain) == {
        "x-losi-provider": "openai",
        "x-losi-model": "openai-model",
        "x-losi-attempts": "2",
    }
    assert answered_headers(named)["x-losi-dropped-params"] == "seed, user"
    assert answered_headers(named)["x-losi-mapped"] == "stop, tools"
