"""What every format does alike, whatever its upstream's words: one suite over all of `SUBJECTS`."""

import asyncio
import re
from contextlib import suppress
from typing import Any, get_args

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from losi.catalogue.models import Route
from losi.catalogue.providers import Format
from losi.errors import LosiError, UpstreamError
from losi.metering.usage import Usage, from_openai
from losi.upstream import wishes
from losi.upstream.format import Exchange, UpstreamCall
from losi.upstream.routing import prompts
from losi.web.formats import FORMATS
from tests.catalogue import PROVIDERS
from tests.contract.formats import (
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    PIECES,
    SUBJECTS,
    WORDS,
    SandboxSubject,
    Scenario,
    Subject,
)
from tests.fake_format import chunks_of
from tests.fake_upstream import FakeUpstream, Reply
from tests.loose import Json, loose

#: Events that tell what was used, in any format's words.
FIGURES = re.compile(rb"(output|completion)_?tokens", re.IGNORECASE)
#: JSON nested more deeply than Python's parser goes.
DEEP = b"[" * 100_000 + b"]" * 100_000
AnySubject = Subject | SandboxSubject
HTTP = [subject for subject in SUBJECTS if isinstance(subject, Subject)]
every_format = pytest.mark.parametrize("subject", SUBJECTS, ids=lambda s: s.name)
every_http_format = pytest.mark.parametrize("subject", HTTP, ids=lambda s: s.name)


def each_refusal() -> pytest.MarkDecorator:
    cases = [(subject, status) for subject in SUBJECTS for status in subject.refusals]
    ids = [f"{subject.name}-{status}" for subject, status in cases]
    return pytest.mark.parametrize(("subject", "status"), cases, ids=ids)


def exchange(
    subject: AnySubject, upstream: FakeUpstream, scenario: Scenario, **parameters: Any
) -> Exchange:
    if scenario.reply is not None:
        upstream.replies = [scenario.reply]
    messages = [{"role": "user", "content": scenario.ask}]
    body = {"model": "m", "messages": messages, "max_tokens": 100, **parameters}
    call = UpstreamCall(body, Route(provider=PROVIDERS[subject.provider], model="m"), "req_1")
    return wishes.prepare(subject.format(upstream.url), loose(call)).exchange


async def read(exchange: Exchange, into: list[Json] | None = None) -> list[Json]:
    chunks: list[Json] = [] if into is None else into
    async for chunk in chunks_of(exchange.stream()):
        ChatCompletionChunk.model_validate(chunk)
        chunks.append(chunk)
    return chunks


def accumulated(chunks: list[Json]) -> Any:
    """What OpenAI's SDK makes of a stream."""
    state: Any = ChatCompletionStreamState()
    for chunk in chunks:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    return state.current_completion_snapshot


def test_every_format_is_in_this_suite_and_every_provider_speaks_one() -> None:
    assert {subject.name for subject in SUBJECTS} == FORMATS.keys() == set(get_args(Format))
    assert {provider.format for provider in PROVIDERS.values()} == FORMATS.keys()


@every_format
async def test_a_plain_answer_is_a_completion(subject: AnySubject, upstream: FakeUpstream) -> None:
    answer = await exchange(subject, upstream, subject.answered()).complete()

    completion = ChatCompletion.model_validate(answer)
    [choice] = completion.choices
    assert (choice.message.role, choice.message.content) == ("assistant", "".join(PIECES))
    assert choice.finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == INPUT_TOKENS
    assert completion.usage.completion_tokens == OUTPUT_TOKENS


@every_format
async def test_a_stream_says_the_same_as_a_plain_answer(
    subject: AnySubject, upstream: FakeUpstream
) -> None:
    chunks = await read(exchange(subject, upstream, subject.streamed()))

    streamed = accumulated(chunks)
    assert streamed.choices[0].message.content == "".join(PIECES)
    assert streamed.choices[0].finish_reason == "stop"
    assert streamed.usage.total_tokens == INPUT_TOKENS + OUTPUT_TOKENS


@every_format
async def test_a_stream_has_its_role_once_and_first_its_end_once_and_usage_last(
    subject: AnySubject, upstream: FakeUpstream
) -> None:
    *chunks, last = await read(exchange(subject, upstream, subject.streamed()))

    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert ["role" in choice["delta"] for choice in choices] == [True] + [False] * (
        len(choices) - 1
    )
    assert [bool(choice["finish_reason"]) for choice in choices] == [False] * (len(choices) - 1) + [
        True
    ]
    assert last["choices"] == [] and last["usage"]["prompt_tokens"] == INPUT_TOKENS
    assert not any(chunk.get("usage") for chunk in chunks)


@every_format
async def test_each_piece_is_a_chunk_of_its_own(
    subject: AnySubject, upstream: FakeUpstream
) -> None:
    chunks = await read(exchange(subject, upstream, subject.streamed()))

    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    said = [delta["content"].strip() for delta in deltas if delta.get("content")]
    assert said == [piece.strip() for piece in PIECES]


@every_format
@pytest.mark.parametrize("cut", [False, True], ids=["clean end", "connection cut"])
async def test_a_truncated_stream_never_looks_complete(
    subject: AnySubject, upstream: FakeUpstream, cut: bool
) -> None:
    for after in range(subject.complete_from):
        seen: list[Json] = []
        scenario = subject.truncated(after, cut=cut)

        with pytest.raises(UpstreamError) as caught:
            await read(exchange(subject, upstream, scenario), into=seen)

        assert caught.value.code == "upstream_incomplete", after
        choices = [choice for chunk in seen for choice in chunk["choices"]]
        assert not any(choice["finish_reason"] for choice in choices), after


@every_format
async def test_who_stops_reading_hangs_up(subject: AnySubject, upstream: FakeUpstream) -> None:
    chunks = chunks_of(exchange(subject, upstream, subject.unfinished()).stream())
    if isinstance(subject, Subject):
        while (await anext(chunks))["choices"][0]["delta"].get("content") != PIECES[0]:
            pass
    waiting = asyncio.ensure_future(anext(chunks))
    await asyncio.sleep(0)

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await chunks.aclose()

    if isinstance(subject, Subject):
        await asyncio.wait_for(upstream.abandoned.wait(), 10)


@every_format
async def test_n_choices_cost_the_prompts_that_the_ledger_holds(
    subject: AnySubject, upstream: FakeUpstream
) -> None:
    """`native_n` of the row decides what is sent and what is held: the two must agree."""
    native = PROVIDERS[subject.provider].native_n
    scenario = subject.answered(3 if native else 1)

    answer = await exchange(subject, upstream, scenario, n=3).complete()

    asked = prompts(Route(provider=PROVIDERS[subject.provider], model="m"), 3)
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert answer["usage"]["prompt_tokens"] == asked * INPUT_TOKENS
    assert answer["usage"]["completion_tokens"] == 3 * OUTPUT_TOKENS
    if isinstance(subject, Subject):
        assert [request.json.get("n") for request in upstream.requests] == (
            [3] if native else [None] * 3
        )


@every_format
async def test_n_streams_are_one_with_an_index_each(
    subject: AnySubject, upstream: FakeUpstream
) -> None:
    scenario = subject.streamed(3 if PROVIDERS[subject.provider].native_n else 1)

    chunks = await read(exchange(subject, upstream, scenario, n=3))

    roles = [c["index"] for chunk in chunks for c in chunk["choices"] if "role" in c["delta"]]
    assert roles == [0, 1, 2]
    streamed = accumulated(chunks)
    assert [choice.message.content for choice in streamed.choices] == ["".join(PIECES)] * 3
    assert streamed.usage.completion_tokens == 3 * OUTPUT_TOKENS


@each_refusal()
async def test_each_refusal_says_what_helps_and_only_the_callers_own_shows_words(
    subject: AnySubject, status: int, upstream: FakeUpstream
) -> None:
    for ask in (Exchange.complete, Exchange.stream):
        asked = exchange(subject, upstream, subject.refused(status))
        with pytest.raises(LosiError) as caught:
            await (asked.complete() if ask is Exchange.complete else anext(asked.stream()))

        error = caught.value
        expected_status, code, remedy = subject.refusals[status]
        assert error.status == expected_status
        assert code is None or error.code == code
        assert getattr(error, "remedy", None) is remedy
        if isinstance(subject, Subject):
            assert (WORDS in error.message) == (status in (400, 413))


@every_http_format
@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"no json", b'{"choices": []}', DEEP],
    ids=["nothing", "empty", "list", "text", "no choices", "deep"],
)
async def test_an_answer_of_another_shape_is_the_upstreams_fault(
    subject: Subject, body: bytes, upstream: FakeUpstream
) -> None:
    reply = Reply([body], headers={"content-type": "application/json"})

    with pytest.raises(UpstreamError) as caught:
        await exchange(subject, upstream, Scenario(reply)).complete()

    assert caught.value.code == "upstream_malformed"


@every_http_format
async def test_what_an_answer_of_another_shape_told_is_kept(
    subject: Subject, upstream: FakeUpstream
) -> None:
    whole = subject.answer(1)
    reply = Reply.json({name: value for name, value in whole.items() if name == "usage"})

    with pytest.raises(UpstreamError) as caught:
        await exchange(subject, upstream, Scenario(reply)).complete()

    assert from_openai(caught.value.spent) == Usage(INPUT_TOKENS, OUTPUT_TOKENS)


@every_http_format
@pytest.mark.parametrize("end", ["clean end", "connection cut", "another shape"])
async def test_figures_that_were_told_count_however_the_stream_ends(
    subject: Subject, end: str, upstream: FakeUpstream
) -> None:
    events = subject.events(1)
    for after in range(1, len(events) + 1):
        told = [event for event in events[:after] if FIGURES.search(event)]
        body = [*events[:after], *([subject.malformed_event] if end == "another shape" else [])]
        kind = {"content-type": subject.content_type}
        seen: list[Json] = []

        with suppress(UpstreamError):
            reply = Reply(body, headers=kind, cut=end == "connection cut")
            await read(exchange(subject, upstream, Scenario(reply)), into=seen)

        usages = [usage for chunk in seen if (usage := from_openai(chunk.get("usage")))]
        assert bool(usages) == bool(told), after
        if told:
            assert usages[-1].input_tokens == INPUT_TOKENS
            only_begun = b"message_start" in told[-1]  # Anthropic's, whose output is none yet
            assert usages[-1].output_tokens == (0 if only_begun else OUTPUT_TOKENS)


@every_http_format
async def test_so_is_an_event_of_another_shape(subject: Subject, upstream: FakeUpstream) -> None:
    body = [*subject.events(1)[:2], subject.malformed_event]
    reply = Reply(body, headers={"content-type": subject.content_type})

    with pytest.raises(UpstreamError) as caught:
        await read(exchange(subject, upstream, Scenario(reply)))

    assert caught.value.code == "upstream_malformed"


@pytest.mark.parametrize(
    "subject",
    [each for each in HTTP if each.content_type == "text/event-stream"],
    ids=lambda each: each.name,
)
@pytest.mark.parametrize("data", [b'{"choices": [', b"7", DEEP], ids=["cut", "number", "deep"])
async def test_so_is_an_event_that_holds_no_json_object(
    subject: Subject, data: bytes, upstream: FakeUpstream
) -> None:
    events = subject.events(1)
    body = [*events[:2], b"data: " + data + b"\n\n", *events[2:]]
    reply = Reply(body, headers={"content-type": subject.content_type})

    with pytest.raises(UpstreamError) as caught:
        await read(exchange(subject, upstream, Scenario(reply)))

    assert caught.value.code == "upstream_malformed"


@every_http_format
async def test_an_upstream_that_is_not_there_is_unavailable(subject: Subject) -> None:
    route = Route(provider=PROVIDERS[subject.provider], model="m")
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    nowhere = subject.format("http://127.0.0.1:1")

    with pytest.raises(UpstreamError) as caught:
        await nowhere.prepare(UpstreamCall(loose(body), route, "req_1")).complete()

    assert caught.value.status == 503


@every_http_format
async def test_what_is_not_sent_is_named(subject: Subject, upstream: FakeUpstream) -> None:
    asked = exchange(subject, upstream, subject.answered(), min_p=0.1, top_p=0.25)
    await asked.complete()

    assert asked.left_out == (frozenset() if subject.passes_on else {"min_p"})
    assert ("min_p" in upstream.requests[0].json) == subject.passes_on
    assert b"0.25" in upstream.requests[0].body


@every_http_format
def test_an_n_that_reaches_a_format_without_one_is_named_not_lost(subject: Subject) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "n": 2}
    call = UpstreamCall(body, Route(provider=PROVIDERS[subject.provider], model="m"), "req_1")

    left_out = subject.format("http://127.0.0.1:1").prepare(loose(call)).left_out

    assert ("n" in left_out) != PROVIDERS[subject.provider].native_n


@every_format
async def test_an_exchange_can_be_held_again(subject: AnySubject, upstream: FakeUpstream) -> None:
    """A retry sends the same request."""
    asked = exchange(subject, upstream, subject.answered())

    first, second = await asked.complete(), await asked.complete()

    assert first["choices"] == second["choices"]
    if isinstance(subject, Subject):
        assert upstream.requests[0].body == upstream.requests[1].body
