"""What goes wrong at providers of OpenAI's format, and whose fault it is."""

from typing import Any

import pytest

from losi.dialects.openai import envelope
from losi.errors import InvalidRequestError, LosiError, UpstreamError
from losi.upstream.openai.chat import OpenAIChat
from losi.upstream.registry import Settings
from tests.catalogue import PROVIDERS
from tests.contract.openai_calls import CALL, event, provider, streamed
from tests.fake_upstream import FakeUpstream, Reply
from tests.loose import Json


@pytest.mark.parametrize("error", ["Too long.", {"message": "Too long."}])
async def test_a_refusal_in_another_form_keeps_its_words(
    error: Any, upstream: FakeUpstream
) -> None:
    upstream.replies = [Reply.json({"error": error}, 400)]

    with pytest.raises(InvalidRequestError, match=r"Too long\."):
        await provider(upstream).prepare(CALL).complete()


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"status": 429}, 503),
        ({"code": "400"}, 400),
        ({"code": 200}, 502),  # no status of an error, whatever it is
        ({"code": 1000}, 502),
        ({"status": "RESOURCE_EXHAUSTED"}, 502),
    ],
)
async def test_an_error_behind_a_200_may_name_its_status(
    told: Json, status: int, upstream: FakeUpstream
) -> None:
    upstream.replies = [Reply.json({"error": {"message": "No.", **told}})]

    with pytest.raises(LosiError) as caught:
        await provider(upstream).prepare(CALL).complete()

    assert caught.value.status == status


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply.json({"hello": "there"}), "upstream_malformed"),
        (
            Reply([b"<html>busy</html>"], headers={"content-type": "text/html"}),
            "upstream_malformed",
        ),
        (Reply.json({"error": {"message": "boom"}}, status=500), "upstream_error"),
        (Reply.sse([b"data: {not json}\n\n"]), "upstream_malformed"),
        (Reply.sse([b"data: [1]\n\n"]), "upstream_malformed"),
        (Reply.sse([b'data: {"object": "x"}\n\n']), "upstream_incomplete"),
        (Reply.sse([b'data: {"error": {"message": "x", "code": 529}}\n\n']), "upstream_overloaded"),
        (Reply.sse([b'data: {"choices": []}\n\n']), "upstream_incomplete"),
        (Reply.sse([b'data: {"choices": []}\n\n'], cut=True), "upstream_incomplete"),
        (Reply.sse([]), "upstream_incomplete"),
        (Reply.sse([b"data: " + b"x" * 17_000_000]), "upstream_too_large"),
    ],
)
async def test_garbage_is_the_upstreams_fault(
    reply: Reply, code: str, upstream: FakeUpstream
) -> None:
    with pytest.raises(UpstreamError) as caught:
        await streamed(upstream, reply)

    assert caught.value.code == code


async def test_an_end_without_done_is_an_end_once_every_choice_is_finished(
    upstream: FakeUpstream,
) -> None:
    both = [event("a"), event("b", index=1), event("", finish="stop")]

    with pytest.raises(UpstreamError, match="before it was complete"):
        await streamed(upstream, Reply.sse(both))

    assert await streamed(upstream, Reply.sse([*both, event("", index=1, finish="stop")]))


async def test_a_connection_that_breaks_behind_the_end_mark_breaks_nothing(
    upstream: FakeUpstream,
) -> None:
    events = [event("a", finish="stop"), b"data: [DONE]\n\n"]

    assert len(await streamed(upstream, Reply.sse(events, cut=True))) == 1


@pytest.mark.parametrize("reason", ["error", "abort", "insufficient_system_resource"])
async def test_an_answer_that_failed_half_way_never_looks_whole(
    reason: str, upstream: FakeUpstream
) -> None:
    with pytest.raises(UpstreamError, match="before it was complete"):
        await streamed(upstream, Reply.sse([event("a", finish=reason), b"data: [DONE]\n\n"]))

    upstream.replies = [Reply.json({"choices": [{"message": {}, "finish_reason": reason}]})]
    with pytest.raises(UpstreamError, match="before it was complete"):
        await provider(upstream).prepare(CALL).complete()


@pytest.mark.parametrize(
    ("message", "status"),
    [("API key not valid. Please pass a valid API key.", 503), ("Unknown name: x", 400)],
)
async def test_geminis_errors_stand_in_a_list_and_a_bad_key_is_a_400(
    message: str, status: int, upstream: FakeUpstream
) -> None:
    error = {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}
    upstream.replies = [Reply.json([{"error": error}], status=400)]

    with pytest.raises(LosiError) as caught:
        await provider(upstream, "gemini").prepare(CALL).complete()

    assert caught.value.status == status
    assert (message in caught.value.message) == (status == 400)


@pytest.mark.parametrize(
    "reply",
    [
        Reply.json([1]),
        Reply.json({"choices": []}),
        Reply.json({"choices": [{"text": "x"}]}),
        Reply([b'{"choices": [{"mess'], headers={"content-type": "application/json"}),
        Reply([b'{"choices": [{"mess'], cut=True, headers={"content-type": "application/json"}),
    ],
)
async def test_half_an_answer_is_the_upstreams_fault(reply: Reply, upstream: FakeUpstream) -> None:
    upstream.replies = [reply]

    with pytest.raises(UpstreamError):
        await provider(upstream).prepare(CALL).complete()


async def test_a_provider_that_is_not_there_is_unavailable() -> None:
    nowhere = OpenAIChat(PROVIDERS["openai"], Settings("http://127.0.0.1:1/v1", "k"))

    with pytest.raises(UpstreamError) as caught:
        await nowhere.prepare(CALL).complete()

    assert (caught.value.status, caught.value.code) == (503, "upstream_unreachable")


async def test_the_wait_that_a_provider_asks_for_is_kept(upstream: FakeUpstream) -> None:
    upstream.replies = [Reply.json({"error": {}}, status=429, retry_after="7")]

    with pytest.raises(UpstreamError) as caught:
        await provider(upstream).prepare(CALL).complete()

    assert caught.value.retry_after == 7
    assert caught.value.headers["retry-after"] == "7"


async def test_the_callers_own_mistake_keeps_the_providers_words(upstream: FakeUpstream) -> None:
    error = {"message": "too hot", "param": "temperature", "code": "invalid_value", "type": "x"}
    upstream.replies = [Reply.json({"error": error}, status=400)]

    with pytest.raises(InvalidRequestError) as caught:
        await provider(upstream).prepare(CALL).complete()

    assert (caught.value.message, caught.value.param) == ("too hot", "temperature")


async def test_a_code_that_is_a_number_and_none_written_out_are_not_passed_on(
    upstream: FakeUpstream,
) -> None:
    error = {"message": "no", "param": None, "code": 400, "type": "x"}
    upstream.replies = [Reply.json({"error": error}, status=400)]

    with pytest.raises(InvalidRequestError) as caught:
        await provider(upstream).prepare(CALL).complete()

    assert envelope(caught.value)["error"] == {
        "message": "no",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }
