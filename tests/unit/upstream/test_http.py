"""Calls to providers over real sockets: what is not followed, not read without end, not retried."""

import gzip
import zlib
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from losi.catalogue.models import Route
from losi.errors import LosiError, UpstreamError, UpstreamUnavailableError
from losi.upstream import http
from losi.upstream.http import Endpoint
from tests.catalogue import PROVIDERS
from tests.dynamodb_local import free_port
from tests.fake_upstream import FakeUpstream, Reply
from tests.loose import Json

ROUTE = Route(provider=PROVIDERS["openai"], model="m")


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as server:
        yield server


def refusal(status: int, body: Json | None, headers: Mapping[str, str]) -> LosiError:
    return UpstreamError(f"refused with {status}")


async def posted(url: str) -> Json:
    endpoint = Endpoint("Provider", f"{url}/v1", {"x-api-key": "sk-secret"})
    return await endpoint.post_json({"model": "m"}, ROUTE, refusal)


@pytest.mark.parametrize("status", [300, 307])
async def test_a_redirect_is_a_refusal_and_the_key_goes_nowhere_else(
    upstream: FakeUpstream, status: int
) -> None:
    async with FakeUpstream() as elsewhere:
        elsewhere.replies = [Reply.json({"choices": []})]
        upstream.replies = [Reply(status=status, headers={"location": f"{elsewhere.url}/v1"})]

        with pytest.raises(UpstreamError, match=f"refused with {status}"):
            await posted(upstream.url)

        assert elsewhere.requests == []


async def test_an_answer_without_end_is_not_kept_in_memory(
    upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_JSON_BYTES", 1_000)
    upstream.replies = [Reply.json({"choices": ["x" * 2_000]})]

    with pytest.raises(UpstreamError) as caught:
        await posted(upstream.url)

    assert caught.value.code == "upstream_malformed"


async def test_nobody_at_the_address_is_told_as_such() -> None:
    with pytest.raises(UpstreamUnavailableError) as caught:
        await posted(f"http://127.0.0.1:{free_port()}")

    assert caught.value.code == "upstream_unreachable"


async def test_an_answer_where_a_stream_was_asked_for_is_not_relayed_and_its_cost_is_known(
    upstream: FakeUpstream,
) -> None:
    told = {"prompt_tokens": 11, "completion_tokens": 7}
    upstream.replies = [Reply.json({"choices": [], "usage": told})]

    with pytest.raises(UpstreamError) as caught:
        async with Endpoint("Provider", upstream.url, {}).post_stream({}, ROUTE, refusal):
            pass

    assert (caught.value.code, caught.value.spent) == ("upstream_malformed", told)


CODINGS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}


@pytest.mark.parametrize("coding", CODINGS)
async def test_an_answer_that_was_compressed_unasked_is_read(
    upstream: FakeUpstream, coding: str
) -> None:
    body = CODINGS[coding](b'{"choices": []}')
    upstream.replies = [Reply([body], headers={"content-encoding": coding})]

    assert await posted(upstream.url) == {"choices": []}


async def streamed(upstream: FakeUpstream) -> bytes:
    endpoint = Endpoint("Provider", upstream.url, {})
    async with endpoint.post_stream({}, ROUTE, refusal) as chunks:
        return b"".join([chunk async for chunk in chunks])


@pytest.mark.parametrize("coding", CODINGS)
async def test_so_is_a_stream(upstream: FakeUpstream, coding: str) -> None:
    body = CODINGS[coding](b"data: {}\n\n")
    headers = {"content-type": "text/event-stream", "content-encoding": coding}
    upstream.replies = [Reply([body[:9], body[9:]], headers=headers)]

    assert await streamed(upstream) == b"data: {}\n\n"


async def test_what_is_not_in_its_coding_is_no_answer(upstream: FakeUpstream) -> None:
    upstream.replies = [Reply([b'{"choices": []}'], headers={"content-encoding": "gzip"})]

    with pytest.raises(UpstreamError) as caught:
        await posted(upstream.url)

    assert caught.value.code == "upstream_incomplete"


@pytest.mark.parametrize(
    "label", ["text/event-stream", "text/plain", "application/json", "application/octet-stream", ""]
)
@pytest.mark.parametrize(
    "begin", [b"data: {}\n\n", b"\n: ping\n\ndata: {}\n\n", b"\xef\xbb\xbfevent: x\n"]
)
async def test_a_stream_is_known_by_how_it_begins(
    upstream: FakeUpstream, label: str, begin: bytes
) -> None:
    upstream.replies = [Reply([begin], headers={"content-type": label} if label else {})]

    assert await streamed(upstream) == begin


@pytest.mark.parametrize("label", ["application/json", "text/event-stream", "text/html"])
@pytest.mark.parametrize(
    "error", [b'{"error": {"message": "no"}}', b'\n [{"error": {"message": "no"}}]']
)
async def test_so_is_a_refusal_with_status_200(
    upstream: FakeUpstream, label: str, error: bytes
) -> None:
    upstream.replies = [Reply([error], headers={"content-type": label})]

    with pytest.raises(UpstreamError, match="refused with 200"):
        await streamed(upstream)
